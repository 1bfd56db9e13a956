"""Symmetric logarithm and the two-hot code: regression that does not care about the size of its targets.

DreamerV3 (2025; doi 10.1038/s41586-025-08744-2), sections on world model and critic learning.

    symlog(x) = sign(x) ln(1 + |x|)          symexp(x) = sign(x) (exp(|x|) - 1)
    bins b = symexp(-20 ... 20), 255 values, mirrored exactly around an exact 0
    twohot(y): all weight on the two bins around y, so that sum_i w_i b_i = y; y beyond the ends goes to the end bin
    prediction = sum_i p_i b_i, summed symmetrically: the pair p_i b_i + p_-i b_-i first

Bins are in raw space (the 2023 version had them in symlog space). The symmetric sum makes uniform probabilities give
exactly 0 in float32, where a left-to-right sum gives -0.25: the bins reach 4.85e8.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

BINS = 255


def symlog(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sign(x) ln(1 + |x|)."""
    return jnp.sign(x) * jnp.log1p(jnp.abs(x))


def symexp(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sign(x) (exp(|x|) - 1), the inverse of symlog."""
    return jnp.sign(x) * jnp.expm1(jnp.abs(x))


@functools.cache
def two_hot_bins() -> np.ndarray:
    """The 255 bins, float32: symexp(linspace(-20, 0, 128)) and its mirror image without repeating 0."""
    half = np.linspace(-20, 0, BINS // 2 + 1, dtype=np.float32)
    half = np.sign(half) * np.expm1(np.abs(half))
    return np.concatenate([half, -half[:-1][::-1]]).astype(np.float32)


def two_hot(target: Float[Array, ""]) -> Float[Array, "bins"]:
    """Weights on the bins whose mean is the target (clamped to the bins' range)."""
    bins = jnp.asarray(two_hot_bins())
    below = jnp.clip(jnp.sum(bins <= target) - 1, 0, BINS - 1)
    above = jnp.clip(BINS - jnp.sum(bins > target), 0, BINS - 1)
    same = below == above
    to_below = jnp.where(same, 1.0, jnp.abs(bins[below] - target))
    to_above = jnp.where(same, 1.0, jnp.abs(bins[above] - target))
    total = to_below + to_above
    return jax.nn.one_hot(below, BINS) * (to_above / total) + jax.nn.one_hot(above, BINS) * (to_below / total)


def two_hot_mean(logits: Float[Array, "bins"]) -> Float[Array, ""]:
    """The scalar that two-hot logits predict, in raw units."""
    bins, probabilities = jnp.asarray(two_hot_bins()), jax.nn.softmax(logits)
    weighted = probabilities * bins
    middle = BINS // 2
    return weighted[middle] + jnp.sum(weighted[:middle][::-1] + weighted[middle + 1 :])


def two_hot_loss(logits: Float[Array, "bins"], target: Float[Array, ""]) -> Float[Array, ""]:
    """Cross-entropy between the two-hot code of the target (raw units) and the logits."""
    return -jnp.sum(two_hot(target) * jax.nn.log_softmax(logits))
