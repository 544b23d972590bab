"""Masks and label maps against true ones: scores of each case, and over all with intervals."""
