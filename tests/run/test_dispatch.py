"""Several updates in one call are those updates, one after the other; those that are not finite are left out."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from reverie.run.dispatch import dispatch

NONE = np.int32(0)


class Learner(eqx.Module):
    """A weight, and something that is no array."""

    weight: Array
    name: str


def update(learner: Learner, batch: Array, rate: float) -> tuple[Learner, tuple[Array, dict[str, Array]]]:
    metrics = {"loss": batch.sum(), "gradient_norm": 1 / jnp.abs(batch).max()}
    return Learner(learner.weight + rate * batch.mean(), learner.name), (learner.weight, metrics)


def test_updates_follow_each_other() -> None:
    stack = jnp.asarray([[1.0, 3.0], [5.0, 7.0], [0.0, 2.0]])
    learner, (before, metrics) = dispatch((update, 0.5, stack), Learner(jnp.asarray(10.0), "kept"), NONE)
    assert learner.name == "kept"
    np.testing.assert_allclose(learner.weight, 10 + 0.5 * (2 + 6 + 1))
    np.testing.assert_allclose(before, [10.0, 11.0, 14.0])  # the weight before each update
    np.testing.assert_allclose(metrics["loss"], [4.0, 12.0, 2.0])
    np.testing.assert_array_equal(metrics["skipped"], 0)


@pytest.mark.parametrize(
    ("batch", "what"), [((np.nan, 1.0), "both"), ((np.inf, -1.0), "the loss"), ((0.0, 0.0), "the gradient")]
)
def test_an_update_that_is_not_finite_is_skipped(batch, what) -> None:
    stack = jnp.asarray([[1.0, 3.0], batch, [0.0, 2.0]])
    learner, (before, metrics) = dispatch((update, 0.5, stack), Learner(jnp.asarray(10.0), "kept"), NONE)
    np.testing.assert_array_equal(metrics["skipped"], [0, 1, 0])
    np.testing.assert_allclose(before, [10.0, 11.0, 11.0])
    np.testing.assert_allclose(learner.weight, 10 + 0.5 * (2 + 1))


def test_skipped_updates_are_counted_in_a_row_and_from_the_call_before() -> None:
    stack = jnp.asarray([[np.nan, 1.0], [np.inf, 1.0], [1.0, 3.0], [np.nan, 1.0]])
    _, (_, metrics) = dispatch((update, 0.5, stack), Learner(jnp.asarray(10.0), "kept"), np.int32(3))
    np.testing.assert_array_equal(metrics["skipped"], [4, 5, 0, 1])


@pytest.mark.parametrize(("before", "taken"), [(7, 1), (8, 0)])
def test_after_ten_in_a_row_no_update_is_taken(before, taken) -> None:
    """Two that fail and a good one: the ninth and it, or the tenth and nothing."""
    stack = jnp.asarray([[np.nan, 1.0], [np.inf, 1.0], [1.0, 3.0]])
    learner, (_, metrics) = dispatch((update, 0.5, stack), Learner(jnp.asarray(10.0), "kept"), np.int32(before))
    np.testing.assert_array_equal(metrics["skipped"], [before + 1, before + 2, 0 if taken else 11])
    np.testing.assert_allclose(learner.weight, 10 + taken * 0.5 * 2)


def test_the_learner_is_consumed_and_the_stack_is_not() -> None:
    before, stack = jnp.ones(3), jnp.ones((2, 3))
    dispatch((update, 0.5, stack), Learner(before, "kept"), NONE)
    assert before.is_deleted()
    assert not stack.is_deleted()


def test_same_settings_compile_once() -> None:
    traced = []

    def counted(learner: Learner, batch: Array, rate: float) -> tuple[Learner, tuple[Array, dict[str, Array]]]:
        traced.append(rate)
        return update(learner, batch, rate)

    for number in range(3):
        dispatch((counted, 0.5, jnp.full((2, 3), number)), Learner(jnp.zeros(()), "kept"), NONE)
    once = len(traced)
    dispatch((counted, 0.25, jnp.ones((2, 3))), Learner(jnp.zeros(()), "kept"), NONE)
    assert once > 0
    assert len(traced) == 2 * once


def test_equals_a_python_loop() -> None:
    stack = jax.random.normal(jax.random.key(0), (4, 5))
    scanned, _ = dispatch((update, 0.1, stack), Learner(jnp.zeros(()), "kept"), NONE)
    looped = Learner(jnp.zeros(()), "kept")
    for batch in stack:
        looped, _ = update(looped, batch, 0.1)
    np.testing.assert_allclose(scanned.weight, looped.weight, rtol=1e-6)
