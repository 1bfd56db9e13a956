"""Root-mean-square normalisation.

Zhang & Sennrich, arXiv 1910.07467; DreamerV3 (2025) puts it, followed by SiLU, after every hidden layer.

    y = x / sqrt(mean(x^2) + 1e-4) * scale        over the last axis, scale learned from 1, no shift

Computed in float32 whatever the input is, and returned in the input's dtype.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

EPSILON = 1e-4


class RMSNorm(eqx.Module):
    """Normalises the last axis; leading axes (pixels of an image) are normalised each for itself."""

    scale: Float[Array, "channel"]

    def __init__(self, channels: int) -> None:
        self.scale = jnp.ones(channels)

    def __call__(self, x: Float[Array, "*pixels channel"]) -> Float[Array, "*pixels channel"]:
        wide = x.astype(jnp.float32)
        size = jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + EPSILON)
        scale = self.scale.reshape((1,) * (x.ndim - 1) + (-1,))
        return (wide * size * scale).astype(x.dtype)
