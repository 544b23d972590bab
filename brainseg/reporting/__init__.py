"""Pictures and tables for people: training curves, previews, confusion matrices, montages of a scan."""
