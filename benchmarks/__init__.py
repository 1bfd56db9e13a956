"""How fast things are on this machine. `python -m benchmarks --help`; README.md says how to read the numbers."""
