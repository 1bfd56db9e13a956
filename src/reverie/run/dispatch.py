"""Several updates in one compiled call, none of which may leave numbers that are not finite.

Calling a compiled program costs some hundred microseconds, and fetching what it answers as much again: not nothing to a
small network. So updates are scanned, `dispatch` of them per call, and the learner's memory is reused in place.

An update whose loss or gradient is not finite is skipped: the learner goes on as it was before it. After `HOPELESS` of
them in a row all are skipped: the learner stays as it was before the first of them, and `run.failure` ends the run.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

Learner = TypeVar("Learner")
HOPELESS = 10
"""Skipped updates in a row after which a run ends."""

Update = Callable[..., tuple[Learner, tuple[PyTree, dict[str, Array]]]]


@eqx.filter_jit(donate="all-except-first")
def dispatch(
    settings: tuple[Update[Learner], Any, PyTree], learner: Learner, skipped: Int[Array, ""] | np.int32
) -> tuple[Learner, tuple[PyTree, dict[str, Array]]]:
    """`learner, (products, metrics) = update(learner, batch, config)` along the leading axis of a stack of batches.

    Args:
        settings: the update, the config it takes, and the stack: batches [dispatch, ...].
        learner: consumed.
        skipped: how many updates in a row were skipped before these.

    Returns:
        The learner after the last update, and the outcomes [dispatch, ...]. `metrics` must have `loss` and
        `gradient_norm`, and gets `skipped`: how many updates in a row were skipped up to this one, 0 if it was not.
    """
    update, config, stack = settings
    arrays, static = eqx.partition(learner, eqx.is_array)

    def step(carry: tuple[PyTree, Array], batch: PyTree) -> tuple[PyTree, PyTree]:
        arrays, skipped = carry
        learner, (products, metrics) = update(eqx.combine(arrays, static), batch, config)
        good = jnp.isfinite(metrics["loss"]) & jnp.isfinite(metrics["gradient_norm"]) & (skipped < HOPELESS)
        kept = jax.tree.map(lambda new, old: jnp.where(good, new, old), eqx.filter(learner, eqx.is_array), arrays)
        skipped = jnp.where(good, 0, skipped + 1)
        return (kept, skipped), (products, metrics | {"skipped": skipped})

    (arrays, _), outcome = jax.lax.scan(step, (arrays, jnp.asarray(skipped)), stack)
    return eqx.combine(arrays, static), outcome
