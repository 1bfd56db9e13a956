"""Random shooting finds what pays, of choices and of numbers, and does not count what comes after the end."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array, PRNGKeyArray

from reverie.protocol import AbstractWorldModel
from reverie.studio.shooting import shoot
from reverie.types import ArraySpec


class Line(AbstractWorldModel[Array]):
    """The state is the last action's vector."""

    width: int

    def initial(self) -> Array:
        return jnp.zeros(self.width)

    def encode(self, observation: dict[str, Array]) -> Array:
        return observation["x"]

    def observe(self, state: Array, action: Array, encoded: Array, *, key: PRNGKeyArray) -> Array:
        return encoded

    def imagine(self, state: Array, action: Array, *, key: PRNGKeyArray) -> Array:
        return action


@pytest.mark.parametrize("best", [0, 1, 2])
def test_it_chooses_what_pays(best: int) -> None:
    spec = ArraySpec("discrete", (1,), (3,))
    endless = lambda _: jnp.ones(())
    found = shoot(Line(3), lambda it: it[best], endless, jnp.zeros(3), spec, candidates=2000, key=jr.key(best))
    assert np.asarray(found).tolist() == [best]


def test_numbers_go_where_it_pays() -> None:
    spec = ArraySpec("continuous", (2,))
    score = lambda it: it[0] - it[1]
    found = np.asarray(shoot(Line(2), score, lambda _: jnp.ones(()), jnp.zeros(2), spec, key=jr.key(0)))
    assert found[0] > 0.3
    assert found[1] < -0.3


def test_what_comes_after_the_end_is_worth_nothing() -> None:
    """Choice 0 pays 1 and ends; choice 1 pays 0.5 and goes on."""
    spec = ArraySpec("discrete", (1,), (2,))
    pays = lambda it: it[0] + 0.5 * it[1]
    found = shoot(Line(2), pays, lambda it: it[1], jnp.zeros(2), spec, key=jr.key(0))
    assert np.asarray(found).tolist() == [1]
