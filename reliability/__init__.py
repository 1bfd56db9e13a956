"""Proofs that runs cannot be lost: `make reliability`. Each test tells what it does to a run and what must be left."""
