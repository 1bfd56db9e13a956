"""Adaptive gradient clipping, LaProp and clipped Adam, as optax transformations; one step down a sum of losses.

AGC (Brock et al., arXiv 2102.06171) as DreamerV3 uses it: per parameter tensor, biases and scales included,

    g <- g / max(1, |g| / (clip max(1e-3, |w|)))

LaProp (Ziyin et al., arXiv 2002.04839): RMSProp first, momentum after, so that momentum averages normalised steps:

    v <- b2 v + (1 - b2) g^2;   u = g / (sqrt(v / (1 - b2^t)) + eps);   m <- b1 m + (1 - b1) u;   step = m / (1 - b1^t)

Clipped Adam (Kingma & Ba, arXiv 1412.6980) as PlaNet and the first two Dreamers use it: the whole gradient's norm is
limited first, and DreamerV2 lets every weight decay by a constant share, whatever the step size.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int, PyTree

Part = TypeVar("Part")


def adaptive_gradient_clip(clip: float, smallest: float = 1e-3) -> optax.GradientTransformation:
    """Limits each tensor's gradient norm to `clip` times the norm of the tensor (at least `smallest`)."""

    def shrink(gradient: Array, parameter: Array) -> Array:
        limit = clip * jnp.maximum(smallest, jnp.linalg.norm(parameter.reshape(-1)))
        return gradient / jnp.maximum(1.0, jnp.linalg.norm(gradient.reshape(-1)) / limit)

    def update(updates, state, params=None):
        assert params is not None, "adaptive clipping needs the parameters"
        return jax.tree.map(shrink, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


class LaPropState(NamedTuple):
    """Counter and the two moments of `laprop`."""

    count: Int[Array, ""]
    square: PyTree
    momentum: PyTree


def laprop(b1: float = 0.9, b2: float = 0.999, epsilon: float = 1e-20) -> optax.GradientTransformation:
    """Normalises by the root of the second moment, then averages; the learning rate is the caller's."""

    def initial(params) -> LaPropState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return LaPropState(jnp.zeros((), jnp.int32), zeros, jax.tree.map(jnp.zeros_like, params))

    def update(updates, state, params=None):
        del params
        count = state.count + 1
        debias1, debias2 = (1 - jnp.float32(b) ** count.astype(jnp.float32) for b in (b1, b2))
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state.square, updates)
        steps = jax.tree.map(lambda g, v: g / (jnp.sqrt(v / debias2) + epsilon), updates, square)
        momentum = jax.tree.map(lambda m, u: b1 * m + (1 - b1) * u, state.momentum, steps)
        return jax.tree.map(lambda m: m / debias1, momentum), LaPropState(count, square, momentum)

    return optax.GradientTransformation(initial, update)


def clipped_adam(rate: float, *, clip: float, epsilon: float, decay: float = 0.0) -> optax.GradientTransformation:
    """Adam with step size `rate` on gradients of a norm of at most `clip`; w <- (1 - decay) w with every step."""
    steps = optax.chain(optax.clip_by_global_norm(clip), optax.scale_by_adam(eps=epsilon), optax.scale(-rate))
    return optax.chain(steps, optax.add_decayed_weights(-decay)) if decay else steps


def descend(
    losses: Callable[[Part], tuple[dict[str, Array], Any]],
    part: Part,
    moments: PyTree,
    optimiser: optax.GradientTransformation,
) -> tuple[Part, PyTree, dict[str, Array], Any]:
    """A part of a model one step further down the sum of its losses.

    Args:
        losses: from the part, its losses by name, and whatever is to be kept of computing them.
        part: all of its arrays are moved.
        moments: the optimiser's, of the part.
        optimiser: what moves it.

    Returns:
        The part, the moments, metrics (`loss`, `gradient_norm`, `loss/NAME`), and what was kept.
    """

    def total(part: Part) -> tuple[Array, Any]:
        terms, kept = losses(part)
        return sum(terms.values(), jnp.zeros(())), (terms, kept)

    (loss, (terms, kept)), gradients = eqx.filter_value_and_grad(total, has_aux=True)(part)
    with jax.numpy_dtype_promotion("standard"):
        steps, moments = optimiser.update(gradients, moments)
    metrics = {"loss": loss, "gradient_norm": optax.tree.norm(gradients)}
    metrics |= {f"loss/{name}": term for name, term in terms.items()}
    return eqx.apply_updates(part, steps), moments, metrics, kept
