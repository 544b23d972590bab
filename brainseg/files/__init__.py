"""Files and folders that are there whole or not at all, and the safe reading of those that others wrote."""
