"""Several updates in one call are those updates, one after the other."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from reverie.run.dispatch import dispatch


class Learner(eqx.Module):
    """A weight, and something that is no array."""

    weight: Array
    name: str


def update(learner: Learner, batch: Array, rate: float) -> tuple[Learner, Array]:
    return Learner(learner.weight + rate * batch.mean(), learner.name), learner.weight


def test_updates_follow_each_other() -> None:
    stack = jnp.asarray([[1.0, 3.0], [5.0, 7.0], [0.0, 2.0]])
    learner, outcome = dispatch((update, 0.5), stack, Learner(jnp.asarray(10.0), "kept"))
    assert learner.name == "kept"
    np.testing.assert_allclose(learner.weight, 10 + 0.5 * (2 + 6 + 1))
    np.testing.assert_allclose(outcome, [10.0, 11.0, 14.0])  # the weight before each update


def test_the_learner_is_consumed() -> None:
    before = jnp.ones(3)
    dispatch((update, 0.5), jnp.ones((2, 3)), Learner(before, "kept"))
    assert before.is_deleted()


def test_same_settings_compile_once() -> None:
    traced = []

    def counted(learner: Learner, batch: Array, rate: float) -> tuple[Learner, Array]:
        traced.append(rate)
        return update(learner, batch, rate)

    for _ in range(3):
        dispatch((counted, 0.5), jnp.ones((2, 3)), Learner(jnp.zeros(()), "kept"))
    once = len(traced)
    dispatch((counted, 0.25), jnp.ones((2, 3)), Learner(jnp.zeros(()), "kept"))
    assert once > 0
    assert len(traced) == 2 * once


def test_equals_a_python_loop() -> None:
    stack = jax.random.normal(jax.random.key(0), (4, 5))
    scanned, _ = dispatch((update, 0.1), stack + 0, Learner(jnp.zeros(()), "kept"))
    looped = Learner(jnp.zeros(()), "kept")
    for batch in stack:
        looped, _ = update(looped, batch, 0.1)
    np.testing.assert_allclose(scanned.weight, looped.weight, rtol=1e-6)
