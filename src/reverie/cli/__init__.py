"""The command line: `main` finds the verb, and each verb is a module of its own that imports jax only when it must."""
