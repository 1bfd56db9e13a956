"""The recurrent state-space model as it began: a memory, and a guess that is normal.

Hafner et al., PlaNet, arXiv 1811.04551 (with its two ablations); Dreamer 1, arXiv 1912.01603, with another cell and
activation.

    memory      x = act(W [z, a] + b);  h' = GRU(h, x)
    prior       z' ~ N(mean, std^2),  [mean, s] from act(W h' + b),        std = softplus(s) + 0.1      `imagine`
    posterior   the same from act(W [h', e'] + b)                                                       `observe`
    ssm         h' = x, which nobody else sees: prior from it alone, posterior from [prior mean, prior std, e']
    rnn         z' = mean, nothing is drawn

Everything starts from, and is reset to, zeros. Heads read [z, h], of the ssm z alone.
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.models.plain_observation import PlainEncoder
from reverie.nn.gru import GRU, ResetAfterGRU
from reverie.nn.perceptron import Perceptron
from reverie.protocol import AbstractWorldModel

KINDS = ("rssm", "ssm", "rnn")


@dataclass(frozen=True)
class GaussianRSSMConfig:
    """Sizes of the recurrent state-space model; the defaults are the papers'."""

    deter: int = 200
    """Width of the memory (h)."""
    hidden: int = 200
    """Width of the layers inside."""
    stoch: int = 30
    """Numbers in the guess (z)."""
    kind: str = "rssm"
    """`rssm`, or one of PlaNet's ablations: `ssm` has no memory, `rnn` no noise."""

    def __post_init__(self) -> None:
        if min(self.deter, self.hidden, self.stoch) < 1 or self.kind not in KINDS:
            raise ValueError(
                f"GaussianRSSMConfig: every size must be at least 1 and kind one of {', '.join(KINDS)}; got "
                f"deter={self.deter}, hidden={self.hidden}, stoch={self.stoch}, kind={self.kind!r}"
            )

    @property
    def features(self) -> int:
        """Width of what heads read."""
        return self.stoch + (0 if self.kind == "ssm" else self.deter)


class GaussianBelief(eqx.Module):
    """A state: the memory, the guess, and the normal that the guess was drawn from."""

    deter: Float[Array, "*batch deter"]
    stoch: Float[Array, "*batch stoch"]
    mean: Float[Array, "*batch stoch"]
    std: Float[Array, "*batch stoch"]
    hidden: bool = eqx.field(static=True)
    """Whether heads do not see the memory."""

    @property
    def features(self) -> Float[Array, "*batch feature"]:
        """[z, h]: what every head reads."""
        return self.stoch if self.hidden else jnp.concatenate([self.stoch, self.deter], axis=-1)


class GaussianRSSM(AbstractWorldModel[GaussianBelief]):
    """The encoder, the memory and the two guesses."""

    encoder: PlainEncoder
    entry: Perceptron
    cell: GRU | ResetAfterGRU | None
    prior: Perceptron
    posterior: Perceptron
    config: GaussianRSSMConfig = eqx.field(static=True)

    def __init__(
        self,
        encoder: PlainEncoder,
        action: int,
        config: GaussianRSSMConfig,
        *,
        cell: type[GRU] | type[ResetAfterGRU],
        activation: str,
        key: PRNGKeyArray,
    ) -> None:
        """`action` is the width of an action vector."""
        entry_key, cell_key, prior_key, posterior_key = jr.split(key, 4)
        deter, hidden, stoch, act = config.deter, config.hidden, config.stoch, activation
        memoryless = config.kind == "ssm"
        self.encoder = encoder
        self.entry = Perceptron(stoch + action, hidden, 1, 0, activation=act, key=entry_key)
        self.cell = None if memoryless else cell(hidden, deter, key=cell_key)
        before = hidden if memoryless else deter
        self.prior = Perceptron(before, hidden, 0 if memoryless else 1, 2 * stoch, activation=act, key=prior_key)
        known = (2 * stoch if memoryless else deter) + encoder.outputs
        self.posterior = Perceptron(known, hidden, 1, 2 * stoch, activation=act, key=posterior_key)
        self.config = config

    def initial(self) -> GaussianBelief:
        """Zeros."""
        memoryless = self.config.kind == "ssm"
        zeros = jnp.zeros(self.config.stoch)
        return GaussianBelief(jnp.zeros(self.prior_inputs), zeros, zeros, zeros, memoryless)

    @property
    def prior_inputs(self) -> int:
        """Width of the memory; of the ssm, of the layer in its place."""
        return self.config.hidden if self.config.kind == "ssm" else self.config.deter

    def encode(self, observation: dict[str, Array]) -> Float[Array, "embed"]:
        return self.encoder(observation)

    def observe(
        self,
        state: GaussianBelief,
        action: Float[Array, "action"],
        encoded: Float[Array, "embed"],
        *,
        key: PRNGKeyArray,
    ) -> GaussianBelief:
        """h' = f(h, z, a);  z' ~ q(z' | h', e')."""
        deter = self._remember(state, action)
        known = jnp.concatenate(self.prior_normal(deter)) if self.cell is None else deter
        return self._guess(deter, _normal(self.posterior(jnp.concatenate([known, encoded]))), key)

    def imagine(self, state: GaussianBelief, action: Float[Array, "action"], *, key: PRNGKeyArray) -> GaussianBelief:
        """h' = f(h, z, a);  z' ~ p(z' | h')."""
        deter = self._remember(state, action)
        return self._guess(deter, self.prior_normal(deter), key)

    def prior_normal(self, deter: Float[Array, "deter"]) -> tuple[Float[Array, "stoch"], Float[Array, "stoch"]]:
        """Mean and standard deviation of p(z | h), for the divergence from the posterior."""
        return _normal(self.prior(deter))

    def _remember(self, state: GaussianBelief, action: Float[Array, "action"]) -> Float[Array, "deter"]:
        x = self.entry(jnp.concatenate([state.stoch, action]))
        return x if self.cell is None else self.cell(state.deter, x)

    def _guess(self, deter: Array, normal: tuple[Array, Array], key: PRNGKeyArray) -> GaussianBelief:
        mean, std = normal
        stoch = mean if self.config.kind == "rnn" else mean + std * jr.normal(key, mean.shape)
        return GaussianBelief(deter, stoch, mean, std, self.cell is None)


MIN_STD = 0.1


def _normal(outputs: Float[Array, "two_stoch"]) -> tuple[Float[Array, "stoch"], Float[Array, "stoch"]]:
    mean, std = jnp.split(outputs, 2)
    return mean, jax.nn.softplus(std) + MIN_STD
