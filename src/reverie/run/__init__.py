"""A run: its folder, log, checkpoints, clock and signals, and the collection of experience."""
