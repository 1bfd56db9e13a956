"""Layers: single-example Equinox modules that compute in the dtype of their input."""
