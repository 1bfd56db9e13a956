"""The two contracts: what is abstract, what fulfils them, and that a `Trained` passes through jax as a whole."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from reverie.behaviours.filter_policy import FilterPolicy
from reverie.models.rssm import RSSM
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.types import ArraySpec, Spaces

SPACES = Spaces({"observation": ArraySpec("vector", (1,))}, ArraySpec("discrete", (1,), (2,)))


class Copy(AbstractWorldModel[jax.Array]):
    """Believes what it saw last, times a parameter."""

    gain: jax.Array

    def initial(self) -> jax.Array:
        return jnp.zeros(1)

    def encode(self, observation: dict[str, jax.Array]) -> jax.Array:
        return observation["observation"]

    def observe(self, state: jax.Array, action: jax.Array, encoded: jax.Array, *, key: Any) -> jax.Array:
        return self.gain * encoded

    def imagine(self, state: jax.Array, action: jax.Array, *, key: Any) -> jax.Array:
        return state


class Never(AbstractPolicy[None]):
    def initial(self) -> None:
        return None

    def act(self, carry: None, observation: dict[str, Any], is_first: Any, *, key: Any) -> tuple[jax.Array, None]:
        return jnp.zeros(1, jnp.int32), None


def test_what_a_world_model_must_do():
    assert AbstractWorldModel.__abstractmethods__ == {"initial", "encode", "observe", "imagine"}
    assert AbstractPolicy.__abstractmethods__ == {"initial", "act"}


def test_a_model_without_imagination_is_none():
    class Blind(AbstractWorldModel[None]):
        def initial(self) -> None: ...
        def encode(self, observation: dict[str, jax.Array]) -> jax.Array: ...
        def observe(self, state: None, action: jax.Array, encoded: jax.Array, *, key: Any) -> None: ...

    with pytest.raises(TypeError, match="imagine"):
        Blind()  # pyright: ignore[reportAbstractUsage]


def test_the_library_keeps_its_contracts():
    assert issubclass(RSSM, AbstractWorldModel)
    assert not RSSM.__abstractmethods__
    assert issubclass(FilterPolicy, AbstractPolicy)
    assert not FilterPolicy.__abstractmethods__


def test_a_trained_agent_is_one_tree_of_arrays():
    """Its spaces are no leaves, a head by name sees the arrays it closes over, and jit takes it as an argument."""
    trained = Trained(SPACES, Copy(jnp.full(1, 3.0)), Never(), {"value": jnp.sum})
    assert jax.tree.leaves(eqx.filter(trained, eqx.is_array)) == [trained.model.gain]

    @eqx.filter_jit
    def value_after(trained: Trained, observation: dict[str, jax.Array]) -> jax.Array:
        encoded = trained.model.encode(observation)
        state = trained.model.observe(trained.model.initial(), jnp.zeros(2), encoded, key=jax.random.key(0))
        return trained.heads["value"](state)

    assert value_after(trained, {"observation": jnp.full(1, 2.0)}) == 6
