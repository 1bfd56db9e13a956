"""Several updates in one compiled call.

Calling a compiled program costs some hundred microseconds, and fetching what it answers as much again: not nothing to a
small network. So updates are scanned, `dispatch` of them per call, and the learner's memory is reused in place.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
from jaxtyping import PyTree

Learner = TypeVar("Learner")


@eqx.filter_jit(donate="all-except-first")
def dispatch(settings: tuple[Callable[..., Any], Any], stack: PyTree, learner: Learner) -> tuple[Learner, PyTree]:
    """`learner, outcome = update(learner, batch, config)` along the leading axis of a stack of batches.

    Args:
        settings: the update, and the config it takes.
        stack: batches [dispatch, ...]; consumed.
        learner: consumed.

    Returns:
        The learner after the last update, and the outcomes [dispatch, ...].
    """
    update, config = settings
    arrays, static = eqx.partition(learner, eqx.is_array)

    def step(arrays: PyTree, batch: PyTree) -> tuple[PyTree, PyTree]:
        learner, outcome = update(eqx.combine(arrays, static), batch, config)
        return eqx.filter(learner, eqx.is_array), outcome

    arrays, outcome = jax.lax.scan(step, arrays, stack)
    return eqx.combine(arrays, static), outcome
