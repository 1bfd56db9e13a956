"""Modules with random numbers in every parameter: no one and no zero hides a mistake, and nothing is compiled."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


def random_parameters(make: Callable[..., Any], *args: Any, seed: int = 0, **kwargs: Any) -> Any:
    """What `make` makes, its key aside: matrices of variance 1 / rows, vectors of variance 1."""
    random = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        rows = leaf.shape[-2] if len(leaf.shape) > 1 else 1
        return jnp.asarray(random.normal(0, rows**-0.5, leaf.shape), leaf.dtype)

    shapes = eqx.filter_eval_shape(make, *args, **kwargs, key=jax.random.key(0))
    return jax.tree.map(fill, shapes)
