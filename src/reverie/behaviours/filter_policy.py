"""A policy that filters what it sees with a world model and acts from the belief.

Every Dreamer acts like this: s_t ~ q(s_t | s_{t-1}, a_{t-1}, o_t), then a_t ~ pi(a_t | s_t). Both are sampled, in
training and in evaluation alike (DreamerV3, 2025); exploration noise, where a paper adds it, is the method's own.
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.behaviours.actor_critic import Actor
from reverie.maths.distributions import action_vector
from reverie.models.rssm import RSSM, Belief
from reverie.protocol import AbstractPolicy
from reverie.rollout import filter_step


class Memory(eqx.Module):
    """What the policy carries from step to step: its belief, and the action that leads out of it."""

    belief: Belief
    action: Float[Array, "*batch action"]

    @property
    def latents(self) -> dict[str, Array]:
        """What a replay stores with the row that was just acted on."""
        return self.belief.latents


class FilterPolicy(AbstractPolicy[Memory]):
    """The world model's filter and the actor."""

    world: RSSM
    actor: Actor

    def initial(self) -> Memory:
        return Memory(self.world.initial(), jnp.zeros(self.actor.spec.width))

    def act(
        self, carry: Memory, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Memory]:
        belief_key, action_key = jr.split(key)
        encoded = self.world.encode(observation)
        belief = filter_step(self.world, carry.belief, carry.action, encoded, is_first, key=belief_key)
        action, vector = self.choose(belief, action_key)
        return action, Memory(belief, vector)

    def choose(self, belief: Belief, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        """The action to take in a state, seen or imagined, and the same as a vector."""
        action = self.actor(belief.features).sample(key=key)
        return action, action_vector(self.actor.spec, action)
