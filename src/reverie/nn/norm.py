"""Normalisation over the last axis.

    RMSNorm    y = x / sqrt(mean(x^2) + 1e-4) * scale                                scale learned from 1, no shift
    LayerNorm  y = (x - mean(x)) / sqrt(var(x) + 1e-3) * scale + shift               from 1 and 0

RMSNorm: Zhang & Sennrich, arXiv 1910.07467; DreamerV3 (2025) puts it, followed by SiLU, after every hidden layer.
LayerNorm: Ba et al., arXiv 1607.06450; DreamerV2 (arXiv 2010.02193) has it inside its recurrent cell, with its epsilon.
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


LAYER_EPSILON = 1e-3


class LayerNorm(eqx.Module):
    """Normalises one vector."""

    scale: Float[Array, "channel"]
    shift: Float[Array, "channel"]

    def __init__(self, channels: int) -> None:
        self.scale, self.shift = jnp.ones(channels), jnp.zeros(channels)

    def __call__(self, x: Float[Array, "channel"]) -> Float[Array, "channel"]:
        wide = x.astype(jnp.float32)
        centred = wide - jnp.mean(wide)
        size = jax.lax.rsqrt(jnp.mean(centred * centred) + LAYER_EPSILON)
        return (centred * size * self.scale + self.shift).astype(x.dtype)
