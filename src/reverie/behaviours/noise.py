"""Actions that chance has a hand in: uniform ones, and Dreamer's and PlaNet's noise while they collect.

Hafner et al., arXiv 1811.04551 and 1912.01603, with the details of the authors' code.
"""

import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.types import ArraySpec


def uniform(spec: ArraySpec, *, key: PRNGKeyArray) -> Array:
    """Any action."""
    if spec.kind == "continuous":
        return jr.uniform(key, spec.shape, minval=-1.0)
    return jr.randint(key, spec.shape, 0, jnp.asarray(spec.classes))


def noisy(spec: ArraySpec, action: Array, amount: Float[Array, ""], *, key: PRNGKeyArray) -> Array:
    """Numbers with normal noise, clipped; choices of which each is redrawn with that probability."""
    if spec.kind == "continuous":
        return jnp.clip(action + amount * jr.normal(key, action.shape), -1, 1)
    which_key, what_key = jr.split(key)
    redrawn = jr.bernoulli(which_key, amount, action.shape)
    return jnp.where(redrawn, uniform(spec, key=what_key), action)
