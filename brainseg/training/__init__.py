"""One training run, from its config to the best checkpoint; going on with it; the checks before it."""
