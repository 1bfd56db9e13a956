"""Several updates in one compiled call, none of which may leave numbers that are not finite.

Calling a compiled program costs some hundred microseconds, and fetching what it answers as much again: not nothing to a
small network. So updates are scanned, `dispatch` of them per call, and the learner's memory is reused in place.

An update whose loss or gradient is not finite is skipped: the learner goes on as it was before it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

Learner = TypeVar("Learner")
Update = Callable[..., tuple[Learner, tuple[PyTree, dict[str, Array]]]]


@eqx.filter_jit(donate="all-except-first")
def dispatch(
    settings: tuple[Update[Learner], Any, PyTree], learner: Learner
) -> tuple[Learner, tuple[PyTree, dict[str, Array]]]:
    """`learner, (products, metrics) = update(learner, batch, config)` along the leading axis of a stack of batches.

    Args:
        settings: the update, the config it takes, and the stack: batches [dispatch, ...].
        learner: consumed.

    Returns:
        The learner after the last update, and the outcomes [dispatch, ...]. `metrics` must have `loss` and
        `gradient_norm`, and gets `skipped`: 1 where one of the two was not finite.
    """
    update, config, stack = settings
    arrays, static = eqx.partition(learner, eqx.is_array)

    def step(arrays: PyTree, batch: PyTree) -> tuple[PyTree, PyTree]:
        learner, (products, metrics) = update(eqx.combine(arrays, static), batch, config)
        finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"])
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), eqx.filter(learner, eqx.is_array), arrays)
        return kept, (products, metrics | {"skipped": (~finite).astype(jnp.float32)})

    arrays, outcome = jax.lax.scan(step, arrays, stack)
    return eqx.combine(arrays, static), outcome
