"""Figures, tables and pages for people: training curves, previews, montages, HTML pages."""
