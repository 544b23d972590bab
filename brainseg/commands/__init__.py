"""What a person calls: train, predict, demo and the `brainseg` tools."""
