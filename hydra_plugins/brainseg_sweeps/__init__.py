"""Plugins of Hydra: it accepts them only from the namespace hydra_plugins. Their logic is in brainseg."""
