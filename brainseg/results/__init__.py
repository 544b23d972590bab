"""What a prediction leaves behind: result.json, its table, its provenance, and whether it is still whole."""
