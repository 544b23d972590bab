"""Results as a BIDS derivatives data set."""
