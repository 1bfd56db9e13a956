"""Symmetric logarithm and the two-hot code: regression that does not care about the size of its targets.

DreamerV3 (2025; doi 10.1038/s41586-025-08744-2), sections on world model and critic learning.

    symlog(x) = sign(x) ln(1 + |x|)          symexp(x) = sign(x) (exp(|x|) - 1)
    bins b = symexp(-20 ... 20), 255 values, mirrored exactly around an exact 0
    twohot(y): all weight on the two bins around y, so that sum_i w_i b_i = y; y beyond the ends goes to the end bin
    prediction = sum_i p_i b_i, summed symmetrically: over pairs, (p_i - p_-i) b_i

Bins are in raw space (the 2023 version had them in symlog space). The symmetric sum makes uniform probabilities give
exactly 0 in float32, where a left-to-right sum gives -0.25: the bins reach 4.85e8.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

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


def two_hot(target: Float[Array, ""]) -> tuple[Int[Array, ""], Float[Array, ""]]:
    """The lower of the two bins around the target (clamped to the bins' range), and the weight of the upper one."""
    bins = jnp.asarray(two_hot_bins())
    target = jnp.clip(target, bins[0], bins[-1])
    guess = jnp.floor((symlog(target) + 20) * ((BINS - 1) / 40)).astype(jnp.int32)
    guess = jnp.clip(guess, 0, BINS - 2)  # right, or next to it: the logarithm is rounded, the bins are what counts
    lower = guess + (bins[guess + 1] <= target).astype(jnp.int32) - (bins[guess] > target).astype(jnp.int32)
    lower = jnp.clip(lower, 0, BINS - 2)
    return lower, (target - bins[lower]) / (bins[lower + 1] - bins[lower])


def two_hot_mean(logits: Float[Array, "bins"]) -> Float[Array, ""]:
    """The scalar that two-hot logits predict, in raw units."""
    middle = BINS // 2
    masses = jnp.exp(logits - jax.lax.stop_gradient(jnp.max(logits)))
    pairs = masses[middle + 1 :] - masses[:middle][::-1]
    return pairs @ jnp.asarray(two_hot_bins()[middle + 1 :]) / jnp.sum(masses)


def two_hot_loss(logits: Float[Array, "bins"], target: Float[Array, ""]) -> Float[Array, ""]:
    """Cross-entropy between the two-hot code of the target (raw units) and the logits."""
    lower, weight = two_hot(target)
    log_p = jax.nn.log_softmax(logits)
    return -((1 - weight) * log_p[lower] + weight * log_p[lower + 1])
