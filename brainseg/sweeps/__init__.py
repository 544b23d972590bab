"""Sweeps that can be stopped, looked at and gone on with: what one is, its ledger, its table. No torch."""
