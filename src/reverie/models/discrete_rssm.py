"""The recurrent state-space model of DreamerV2: a memory, and a guess of categoricals.

Hafner et al., arXiv 2010.02193.

    memory      x = elu(W [z, a] + b);  h' = NormGRU(h, x)
    prior       z' ~ p(z' | h')       logits from elu(W h' + b)             `imagine`
    posterior   z' ~ q(z' | h', e')   logits from elu(W [h', e'] + b)       `observe`

z is `stoch` categoricals of `classes` classes, sampled straight-through, nothing mixed in. Everything starts from, and
is reset to, zeros. Its state is DreamerV3's (`models.rssm.Belief`), its logits are not normalised.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import straight_through
from reverie.models.plain_observation import PlainEncoder
from reverie.models.rssm import Belief
from reverie.nn.gru import NormGRU
from reverie.nn.perceptron import Perceptron
from reverie.protocol import AbstractWorldModel


@dataclass(frozen=True)
class DiscreteRSSMConfig:
    """Sizes of the recurrent state-space model; the defaults are DreamerV2's for Atari."""

    deter: int = 600
    """Width of the memory (h)."""
    hidden: int = 600
    """Width of the layers inside."""
    stoch: int = 32
    """Number of categorical variables of the guess (z)."""
    classes: int = 32
    """Classes of each variable."""

    def __post_init__(self) -> None:
        if min(self.deter, self.hidden, self.stoch) < 1 or self.classes < 2:
            raise ValueError(
                "DiscreteRSSMConfig: every size must be at least 1 and classes at least 2; got "
                f"deter={self.deter}, hidden={self.hidden}, stoch={self.stoch}, classes={self.classes}"
            )

    @property
    def latent(self) -> int:
        """Width of the flattened guess."""
        return self.stoch * self.classes

    @property
    def features(self) -> int:
        """Width of [h, z]."""
        return self.deter + self.latent


class DiscreteRSSM(AbstractWorldModel[Belief]):
    """The encoder, the memory and the two guesses."""

    encoder: PlainEncoder
    entry: Perceptron
    cell: NormGRU
    prior: Perceptron
    posterior: Perceptron
    config: DiscreteRSSMConfig = eqx.field(static=True)

    def __init__(
        self,
        encoder: PlainEncoder,
        action: int,
        config: DiscreteRSSMConfig,
        *,
        norm: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        """`action` is the width of an action vector; `norm`: a LayerNorm in every hidden layer (Crafter)."""
        entry_key, cell_key, prior_key, posterior_key = jr.split(key, 4)
        deter, hidden, latent = config.deter, config.hidden, config.latent
        shape = {"activation": "elu", "norm": norm}
        self.encoder = encoder
        self.entry = Perceptron(latent + action, hidden, 1, 0, **shape, key=entry_key)
        self.cell = NormGRU(hidden, deter, key=cell_key)
        self.prior = Perceptron(deter, hidden, 1, latent, **shape, key=prior_key)
        self.posterior = Perceptron(deter + encoder.outputs, hidden, 1, latent, **shape, key=posterior_key)
        self.config = config

    def initial(self) -> Belief:
        """Zeros."""
        zeros = jnp.zeros((self.config.stoch, self.config.classes))
        return Belief(jnp.zeros(self.config.deter), zeros, zeros)

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
        """Logits of p(z | h), for the divergence from the posterior."""
        return self._shaped(self.prior(deter))

    def _remember(self, state: Belief, action: Float[Array, "action"]) -> Float[Array, "deter"]:
        return self.cell(state.deter, self.entry(jnp.concatenate([state.stoch.reshape(-1), action])))

    def _guess(self, deter: Float[Array, "deter"], outputs: Float[Array, "latent"], key: PRNGKeyArray) -> Belief:
        logits = self._shaped(outputs)
        return Belief(deter, straight_through(jax.nn.log_softmax(logits), key=key), logits)

    def _shaped(self, outputs: Float[Array, "latent"]) -> Float[Array, "stoch classes"]:
        return outputs.reshape(self.config.stoch, self.config.classes)
