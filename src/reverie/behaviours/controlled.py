"""Policies made of V, M and C: the one that was learned, and the erratic ones that collect.

Ha & Schmidhuber, arXiv 1803.10122, section 2.3: encode o_t, sample z_t, act on (z_t, h_t) with h_t from before z_t was
taken in, and only then advance M. In Doom C reads M's cell too: (z, c, h).
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.behaviours.controller import Controller, Obeyed
from reverie.maths.distributions import action_vector
from reverie.models.vision_memory import View, VisionMemory
from reverie.protocol import AbstractPolicy
from reverie.rollout import filter_step

WILDEST = 0.01
"""Scale of the parameters of erratic play, at most."""


class Memory(eqx.Module):
    """What the policy carries: what it sees and remembers, and the action that leads on."""

    view: View
    action: Float[Array, "*batch action"]


class ControlledPolicy(AbstractPolicy[Memory]):
    """V, M and C at work."""

    world: VisionMemory
    controller: Controller
    obeyed: Obeyed = eqx.field(static=True)

    def initial(self) -> Memory:
        return Memory(self.world.initial(), jnp.zeros(self.obeyed.spec.width))

    def act(
        self, carry: Memory, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Memory]:
        encoded = self.world.encode(observation)
        view = filter_step(self.world, carry.view, carry.action, encoded, is_first, key=key)
        action, vector = self.choose(view, key)
        return action, Memory(view, vector)

    def choose(self, view: View, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        """The action to take in a state, seen or imagined, and the same as a vector; C throws no dice."""
        action = self.obeyed(self.controller(seen(view, self.controller.widths[0])))
        return action, action_vector(self.obeyed.spec, action)


class Erratic(eqx.Module):
    """What erratic play carries."""

    memory: Memory
    parameters: Float[Array, "*batch parameter"]


class ErraticPolicy(AbstractPolicy[Erratic]):
    """Another controller in every episode: parameters drawn from Cauchy's distribution, times a scale drawn too."""

    policy: ControlledPolicy

    def initial(self) -> Erratic:
        return Erratic(self.policy.initial(), self.policy.controller.parameters)

    def act(
        self, carry: Erratic, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Erratic]:
        scale_key, parameter_key, key = jr.split(key, 3)
        scale = WILDEST * jr.uniform(scale_key)
        parameters = jnp.where(is_first, scale * jr.cauchy(parameter_key, carry.parameters.shape), carry.parameters)
        policy = eqx.tree_at(lambda it: it.controller.parameters, self.policy, parameters)
        action, memory = policy.act(carry.memory, observation, is_first, key=key)
        return action, Erratic(memory, parameters)


class LearnedPolicy(AbstractPolicy[tuple[Any, Memory]]):
    """What collects first without having learned anything, then as V, M and C."""

    unlearned: AbstractPolicy[Any]
    policy: ControlledPolicy
    learned: Bool[Array, ""]

    def initial(self) -> tuple[Any, Memory]:
        return self.unlearned.initial(), self.policy.initial()

    def act(
        self, carry: tuple[Any, Memory], observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, tuple[Any, Memory]]:
        before, before_carry = self.unlearned.act(carry[0], observation, is_first, key=key)
        after, after_carry = self.policy.act(carry[1], observation, is_first, key=key)
        return jnp.where(self.learned, after, before), (before_carry, after_carry)


def seen(view: View, width: int) -> Float[Array, "inputs"]:
    """What C reads of a state: z, (z, h) or (z, c, h), by how many numbers it takes."""
    z, (h, c) = view.z, view.memory
    parts = {len(z): [z], len(z) + len(h): [z, h], len(z) + len(c) + len(h): [z, c, h]}
    return jnp.concatenate(parts[width])
