"""A policy that filters what it sees with a world model and acts from the belief.

Every Dreamer, and PlaNet, acts like this: s_t ~ q(s_t | s_{t-1}, a_{t-1}, o_t), then a_t is chosen from s_t. A state
is always sampled; how an action is chosen, with what noise and when, is the method's own (`behaviours.choosing`).
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.maths.distributions import action_vector
from reverie.protocol import AbstractPolicy, AbstractWorldModel
from reverie.rollout import filter_step
from reverie.types import ArraySpec


class Memory(eqx.Module):
    """What the policy carries from step to step: its belief, and the action that leads out of it."""

    belief: Any
    action: Float[Array, "*batch action"]

    @property
    def latents(self) -> dict[str, Array]:
        """What a replay stores with the row that was just acted on."""
        return self.belief.latents


class FilterPolicy(AbstractPolicy[Memory]):
    """The world model's filter, and `chooser(belief, key)`, which gives the action in the form its environment takes.

    `see(observation, key)`, where there is one, is what the observation goes through first.
    """

    world: AbstractWorldModel[Any]
    chooser: Any
    spec: ArraySpec = eqx.field(static=True)
    see: Callable[..., dict[str, Array]] | None = None

    def initial(self) -> Memory:
        return Memory(self.world.initial(), jnp.zeros(self.spec.width))

    def act(
        self, carry: Memory, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Memory]:
        belief_key, action_key = jr.split(key)
        if self.see is not None:
            see_key, belief_key = jr.split(belief_key)
            observation = self.see(observation, key=see_key)
        encoded = self.world.encode(observation)
        belief = filter_step(self.world, carry.belief, carry.action, encoded, is_first, key=belief_key)
        action, vector = self.choose(belief, action_key)
        return action, Memory(belief, vector)

    def choose(self, belief: Any, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        """The action to take in a state, seen or imagined, and the same as a vector."""
        action = self.chooser(belief, key=key)
        return action, action_vector(self.spec, action)
