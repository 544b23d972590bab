"""What lies in the folder of a training run: its config, command line, lock and checkpoints."""
