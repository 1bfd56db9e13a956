"""One file per paper, read from top to bottom."""
