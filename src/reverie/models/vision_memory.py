"""V and M of World Models strung together: what the agent sees, what it remembers, and the dream of both.

Ha & Schmidhuber, arXiv 1803.10122, section 2 and appendix A. A state pairs a latent with the memory of what was BEFORE
it: the controller acts on (z_t, h_t), and only then does the memory take in (z_t, a_t).

    encode     e = (mean, log-variance) of q(z | x)
    observe    h', c' = M(h, c, z, a);  z' ~ N(e')                            a first frame: h' = c' = 0
    imagine    h', c' = M(h, c, z, a);  z' ~ the mixture at h', at a temperature

M reads an action as numbers from -1 to 1, of a choice the middle of its part of the way (`behaviours.controller`);
the authors' Doom gives it the controller's own number, of which the game hears no more than the part.
V is not used in a dream; `decode` is there to look at it. Elsewhere: both parts (`models.vae`, `models.mdn_rnn`), what
the controller reads and learns (`methods.vmc`).
"""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray, UInt8

from reverie.models import mdn_rnn, vae
from reverie.models.mdn_rnn import MDNRNN, Recurrent
from reverie.models.vae import SHAPE, VAE, sample
from reverie.protocol import AbstractWorldModel
from reverie.rollout import filter, over_time


class View(eqx.Module):
    """A state: what is seen, and what was remembered before it was seen."""

    z: Float[Array, "*batch latent"]
    memory: Recurrent
    begun: Bool[Array, "*batch"]
    """Whether anything was seen yet in this episode; before that there is nothing to remember."""
    first: Bool[Array, "*batch"]
    """Whether z is the episode's first latent."""
    done: Float[Array, "*batch"]
    """Logit of the episode ending with z, as M imagined it; 0 of what was observed."""
    reward: Float[Array, "*batch"]
    """Met with z, as M imagined it: 1 if it does not predict rewards; 0 of what was observed."""


class VisionMemory(AbstractWorldModel[View]):
    """V, M, and the temperature at which M dreams."""

    vision: VAE
    memory: MDNRNN
    temperature: Float[Array, ""]
    dial: Float[Array, "action outputs"] | None = None
    """From an action's vector to what M reads; None: the vector itself."""

    def initial(self) -> View:
        """Nothing seen, nothing remembered."""
        no, zero = jnp.zeros((), bool), jnp.zeros(())
        return View(jnp.zeros(self.vision.mean.bias.size), self.memory.initial(), no, no, zero, zero)

    def encode(self, observation: dict[str, Array]) -> Float[Array, "embed"]:
        """Mean and log-variance, side by side, of the first picture in the observation; the rest is not looked at."""
        return jnp.concatenate(self.vision.encode(picture(observation).astype(jnp.float32) / 255))

    def observe(
        self, state: View, action: Float[Array, "action"], encoded: Float[Array, "embed"], *, key: PRNGKeyArray
    ) -> View:
        remembered = self._remembered(state, action)
        memory = jax.tree.map(lambda new, none: jnp.where(state.begun, new, none), remembered, self.memory.initial())
        mean, log_variance = jnp.split(encoded, 2)
        z = sample(mean, log_variance, key=key)
        return View(z, memory, jnp.ones((), bool), ~state.begun, jnp.zeros(()), jnp.zeros(()))

    def imagine(self, state: View, action: Float[Array, "action"], *, key: PRNGKeyArray) -> View:
        memory = self._remembered(state, action)
        mixture = self.memory.predict(memory)
        done = jnp.zeros(()) if mixture.done is None else mixture.done
        reward = jnp.ones(()) if mixture.reward is None else mixture.reward
        z = mixture.sample(self.temperature, key=key)
        return View(z, memory, jnp.ones((), bool), jnp.zeros((), bool), done, reward)

    def decode(self, state: View) -> Float[Array, "height width channel"]:
        """What z looks like, in [0, 1]."""
        return self.vision.decode(state.z)

    def _remembered(self, state: View, action: Float[Array, "action"]) -> Recurrent:
        numbers = action if self.dial is None else action @ self.dial
        return self.memory.advance(state.memory, state.z, numbers, state.first)


def vision_losses(
    vision: VAE, frames: UInt8[Array, "batch height width channel"], *, key: PRNGKeyArray
) -> dict[str, Float[Array, ""]]:
    """V's losses (`models.vae`), means over frames."""
    keys = jr.split(key, len(frames))
    terms = jax.vmap(lambda frame, key: vae.losses(vision, frame, key=key))(frames.astype(jnp.float32) / 255, keys)
    return {name: term.mean() for name, term in terms.items()}


def memory_losses(
    world: VisionMemory,
    carry: View,
    encoded: Float[Array, "batch time embed"],
    previous: Float[Array, "batch time action"],
    is_first: Bool[Array, "batch time"],
    terminated: Bool[Array, "batch time"],
    reward: Float[Array, "batch time"],
    *,
    key: PRNGKeyArray,
) -> tuple[dict[str, Float[Array, ""]], View]:
    """M's losses (`models.mdn_rnn`), means over all rows but those that begin an episode, which nobody can foresee.

    Args:
        world: of which the memory is to learn.
        carry: the state before the first row [batch, ...].
        encoded: the rows.
        previous: the actions that led to them.
        is_first: which of them begin an episode.
        terminated: which of them end one.
        reward: met with them.
        key: of z, drawn anew from q(z | x).

    Returns:
        The losses, and the states at the last rows.
    """
    along = lambda carry, previous, encoded, is_first, key: filter(world, carry, previous, encoded, is_first, key=key)
    views = jax.vmap(along)(carry, previous, encoded, is_first, jr.split(key, len(is_first)))
    terms = over_time(mdn_rnn.losses)(over_time(world.memory.judged)(views.memory), views.z, terminated, reward)
    known = (~is_first).astype(jnp.float32)
    means = {name: jnp.sum(known * term) / jnp.maximum(known.sum(), 1.0) for name, term in terms.items()}
    return means, jax.tree.map(lambda leaf: leaf[:, -1], views)


def picture(observation: Mapping[str, Any]) -> Any:
    """The first picture [..., height, width, channel] in an observation."""
    return next(part for _, part in sorted(observation.items()) if part.shape[-3:] == SHAPE)
