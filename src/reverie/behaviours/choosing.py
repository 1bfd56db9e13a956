"""From a belief to an action: how an actor's distribution is used while acting.

    Sampled    DreamerV3 (2025): a sample, always
    Mode       Dreamer 1 (arXiv 1912.01603), DreamerV2 (arXiv 2010.02193): where it counts, the mode
    Explored   the same while they learn: a sample, with noise. Numbers: N(0, noise) is added, then they are clipped to
               [-1, 1]; choices: each is uniform with probability `noise`
    Planning   PlaNet (arXiv 1811.04551): the first action of a plan
    AtFirst    anything, but uniform at random as long as it says so: the papers' first episodes

Each is a function of a belief and a key that gives the action in the form its environment takes.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.behaviours.actor_critic import Actor
from reverie.behaviours.noise import noisy, uniform
from reverie.behaviours.plain_actor import PlainActor
from reverie.behaviours.planner_config import CEMConfig
from reverie.behaviours.planners import action_of, cem, middle
from reverie.behaviours.planning_policy import imagined_return
from reverie.protocol import AbstractWorldModel
from reverie.types import ArraySpec


class Sampled(eqx.Module):
    """A sample of the actor."""

    actor: Actor

    def __call__(self, belief: Any, *, key: PRNGKeyArray) -> Array:
        return self.actor(belief.features).sample(key=key)


class Mode(eqx.Module):
    """The mode of the actor."""

    actor: PlainActor

    def __call__(self, belief: Any, *, key: PRNGKeyArray) -> Array:
        return action_of(self.actor.spec, self.actor(belief.features).mode(key=key))


class Explored(eqx.Module):
    """A sample of the actor, with noise."""

    actor: PlainActor
    noise: Float[Array, ""]

    def __call__(self, belief: Any, *, key: PRNGKeyArray) -> Array:
        sample_key, noise_key = jr.split(key)
        action = action_of(self.actor.spec, self.actor(belief.features).sample(key=sample_key))
        return noisy(self.actor.spec, action, self.noise, key=noise_key)


class AtFirst(eqx.Module):
    """At random, or by `choose`."""

    choose: Any
    spec: ArraySpec = eqx.field(static=True)
    random: Bool[Array, ""]

    def __call__(self, belief: Any, *, key: PRNGKeyArray) -> Array:
        random_key, key = jr.split(key)
        anything = uniform(self.spec, key=random_key)
        return jnp.where(self.random, anything, self.choose(belief, key=key))


class Planning(eqx.Module):
    """The first action of a plan that the cross-entropy method finds, from nothing, with noise (PlaNet)."""

    world: AbstractWorldModel[Any]
    reward: Callable[[Any], Float[Array, ""]]
    spec: ArraySpec = eqx.field(static=True)
    horizon: int = eqx.field(static=True)
    config: CEMConfig = eqx.field(static=True)
    noise: float = eqx.field(static=True)

    def __call__(self, belief: Any, *, key: PRNGKeyArray) -> Array:
        plan_key, noise_key = jr.split(key)
        heads = {"reward": self.reward}
        score = lambda plan, key: imagined_return(self.world, heads, belief, plan, key=key)
        planned = cem(score, self.spec, middle(self.spec, self.horizon), self.config, key=plan_key)
        action = action_of(self.spec, planned.plan[0])
        return noisy(self.spec, action, jnp.asarray(self.noise), key=noise_key)
