"""What is kept: files that survive a crash, and the replay of experience. Free of jax but for nothing: NumPy only."""
