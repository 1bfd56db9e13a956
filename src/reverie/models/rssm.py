"""Recurrent state-space model with categorical latents and a block GRU: a belief with a memory and a guess.

Hafner et al., PlaNet, arXiv 1811.04551 (the RSSM); DreamerV3 (2025; doi 10.1038/s41586-025-08744-2) for this form.

    memory      h' = f(h, z, a)                 block GRU; a is first clipped to magnitude one, a / max(1, |a|)
    prior       z' ~ p(z' | h')                 2 hidden layers       `imagine`
    posterior   z' ~ q(z' | h', e')             1 hidden layer        `observe`

z is `stoch` categoricals of `classes` classes, sampled straight-through from 99 % softmax + 1 % uniform. The logits
kept in a Belief are log-probabilities after that mixing: divergences and entropies are taken of what was sampled from.
No learned initial state: everything starts from, and is reset to, zeros.
Elsewhere: the divergences' balance and free nats (`methods`), time (`rollout`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import straight_through, unimix
from reverie.models.observation import ObservationEncoder
from reverie.nn.mlp import Head
from reverie.nn.recurrent import BlockGRU
from reverie.protocol import AbstractWorldModel


@dataclass(frozen=True)
class RSSMConfig:
    """Sizes of the recurrent state-space model; the defaults are DreamerV3's at 200m."""

    deter: int = 8192
    """Width of the memory (h)."""
    hidden: int = 1024
    """Width of the layers inside."""
    stoch: int = 32
    """Number of categorical variables of the guess (z)."""
    classes: int = 64
    """Classes of each variable."""
    blocks: int = 8
    """Blocks of the recurrent cell."""
    unimix: float = 0.01
    """Uniform fraction of every categorical."""

    def __post_init__(self) -> None:
        sizes_fit = min(self.deter, self.hidden, self.stoch, self.blocks) >= 1 and self.deter % self.blocks == 0
        if not (sizes_fit and 2 <= self.classes <= 256):
            raise ValueError(
                "RSSMConfig: every size must be at least 1, classes 2 to 256, and deter a multiple of blocks; got "
                f"deter={self.deter}, hidden={self.hidden}, stoch={self.stoch}, classes={self.classes}, "
                f"blocks={self.blocks}"
            )
        if not 0 <= self.unimix < 1:
            raise ValueError(f"RSSMConfig.unimix must be in [0, 1), got {self.unimix}")

    @property
    def latent(self) -> int:
        """Width of the flattened guess."""
        return self.stoch * self.classes

    @property
    def features(self) -> int:
        """Width of [h, z]."""
        return self.deter + self.latent


class Belief(eqx.Module):
    """A state: the memory, the guess, and the log-probabilities that the guess was drawn from."""

    deter: Float[Array, "*batch deter"]
    stoch: Float[Array, "*batch stoch classes"]
    logits: Float[Array, "*batch stoch classes"]

    @property
    def features(self) -> Float[Array, "*batch feature"]:
        """[h, z]: what every head reads."""
        flat = self.stoch.reshape(*self.stoch.shape[:-2], -1)
        return jnp.concatenate([self.deter, flat.astype(self.deter.dtype)], axis=-1)

    @property
    def latents(self) -> dict[str, Array]:
        """What a replay stores of it: the memory, and the guess as class indices."""
        index = jnp.argmax(self.stoch, axis=-1).astype(jnp.uint8)
        return {"deter": self.deter.astype(jnp.float32), "stoch": index}


class RSSM(AbstractWorldModel[Belief]):
    """The encoder, the memory and the two guesses."""

    encoder: ObservationEncoder
    cell: BlockGRU
    prior: Head
    posterior: Head
    config: RSSMConfig = eqx.field(static=True)

    def __init__(self, encoder: ObservationEncoder, action: int, config: RSSMConfig, *, key: PRNGKeyArray) -> None:
        """`action` is the width of an action vector."""
        cell_key, prior_key, posterior_key = jr.split(key, 3)
        deter, hidden = config.deter, config.hidden
        self.encoder = encoder
        self.cell = BlockGRU(deter, (config.latent, action), hidden, config.blocks, key=cell_key)
        self.prior = Head(deter, hidden, 2, config.latent, key=prior_key)
        self.posterior = Head(deter + encoder.outputs, hidden, 1, config.latent, key=posterior_key)
        self.config = config

    def initial(self) -> Belief:
        """Zeros, in the dtype that the encoder computes in."""
        zeros = jnp.zeros((self.config.stoch, self.config.classes))
        return Belief(jnp.zeros(self.config.deter, self.encoder.dtype), zeros, zeros)

    @property
    def latents(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Shape and dtype of each array of `Belief.latents`."""
        return {"deter": ((self.config.deter,), "float32"), "stoch": ((self.config.stoch,), "uint8")}

    def recall(self, latents: Mapping[str, Any]) -> Belief:
        """The belief that `latents` were taken of, but for the probabilities it was drawn from."""
        stoch = jax.nn.one_hot(latents["stoch"], self.config.classes)
        return Belief(latents["deter"].astype(self.encoder.dtype), stoch, jnp.zeros_like(stoch))

    def encode(self, observation: dict[str, Array]) -> Float[Array, "embed"]:
        return self.encoder(observation)

    def observe(
        self,
        state: Belief,
        action: Float[Array, "action"],
        encoded: Float[Array, "embed"],
        *,
        key: PRNGKeyArray,
    ) -> Belief:
        """h' = f(h, z, a);  z' ~ q(z' | h', e')."""
        deter = self._remember(state, action)
        return self._guess(deter, self.posterior(jnp.concatenate([deter, encoded])), key)

    def imagine(self, state: Belief, action: Float[Array, "action"], *, key: PRNGKeyArray) -> Belief:
        """h' = f(h, z, a);  z' ~ p(z' | h')."""
        deter = self._remember(state, action)
        return self._guess(deter, self.prior(deter), key)

    def prior_logits(self, deter: Float[Array, "deter"]) -> Float[Array, "stoch classes"]:
        """Log-probabilities of p(z | h), for the divergence from the posterior."""
        return self._mixed(self.prior(deter))

    def _remember(self, state: Belief, action: Float[Array, "action"]) -> Float[Array, "deter"]:
        action = action / jax.lax.stop_gradient(jnp.maximum(1.0, jnp.abs(action)))
        dtype = state.deter.dtype
        return self.cell(state.deter, state.stoch.reshape(-1).astype(dtype), action.astype(dtype))

    def _guess(self, deter: Float[Array, "deter"], outputs: Float[Array, "latent"], key: PRNGKeyArray) -> Belief:
        logits = self._mixed(outputs)
        return Belief(deter, straight_through(logits, key=key), logits)

    def _mixed(self, outputs: Float[Array, "latent"]) -> Float[Array, "stoch classes"]:
        return unimix(outputs.reshape(self.config.stoch, self.config.classes), self.config.unimix)
