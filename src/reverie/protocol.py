"""The two contracts of the library: a world model and a policy.

    initial   s0                                  before anything was seen
    encode    e = encode(o)                       one observation; batched over all time steps before the filter
    observe   s' ~ q(s' | s, a, e')               one step with an (encoded) observation
    imagine   s' ~ p(s' | s, a)                   one step without one

One time step of one sequence: `rollout` adds time, `jax.vmap` adds batch. Everything else (decoder, reward,
continuation, embedding) is a head on the state; what a method lacks it says it lacks. Time is drawn in `types`.
"""

import abc
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import equinox as eqx
from jaxtyping import Array, Bool, PRNGKeyArray

from reverie.types import Spaces

State = TypeVar("State")
Carry = TypeVar("Carry")


class AbstractWorldModel(eqx.Module, Generic[State]):
    """A belief over what the world is like, moved by two verbs."""

    @abc.abstractmethod
    def initial(self) -> State:
        """s0, the belief before the first observation."""

    @abc.abstractmethod
    def encode(self, observation: dict[str, Array]) -> Array:
        """e = encode(o): what the filter needs to know of one observation."""

    @abc.abstractmethod
    def observe(self, state: State, action: Array, encoded: Array, *, key: PRNGKeyArray) -> State:
        """s' ~ q(s' | s, a, e'): `action` is the one that led to the observation behind `encoded`."""

    @abc.abstractmethod
    def imagine(self, state: State, action: Array, *, key: PRNGKeyArray) -> State:
        """s' ~ p(s' | s, a)."""


class AbstractPolicy(eqx.Module, Generic[Carry]):
    """What acts: all that collecting, evaluating and playing need to know of an agent."""

    @abc.abstractmethod
    def initial(self) -> Carry:
        """What the policy remembers before its first episode."""

    @abc.abstractmethod
    def act(
        self, carry: Carry, observation: dict[str, Any], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Carry]:
        """The action to take now, as the action's `ArraySpec` says, and what to remember; forgets where is_first."""


class Trained(eqx.Module):
    """What a method leaves behind once trained: everything the agent, the evaluation and the studio use."""

    spaces: Spaces = eqx.field(static=True)
    model: AbstractWorldModel[Any]
    policy: AbstractPolicy[Any]
    heads: dict[str, Callable[[Any], Any]]
    """By name, functions of one state: `decode` -> an observation as the world shows it, `reward`, `continue` (a
    probability), `value` -> scalars. A method that lacks one lacks the entry."""
