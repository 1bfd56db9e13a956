"""M of World Models: a recurrent network that predicts the next latent as a mixture of Gaussians.

Ha & Schmidhuber, arXiv 1803.10122, section 3 and appendix A.2; numbers as in the authors' code.

    h', c' = LSTM(h, c, [z, a, restart])                  `restart`, only with a done head: z is an episode's first
    every latent j on its own: p(z'_j) = sum_k pi_jk N(mean_jk, exp(log_std_jk)^2)          5 Gaussians, one head on h'
    temperature tau:           pi ~ softmax(logits / tau),  z'_j = mean + exp(log_std) sqrt(tau) noise
    done head:                 the episode ends with z' where its logit is above 0 (not sampled)
    reward head (ours):        the mean of the reward met with z', so that C can be evolved in any dream; of its
                               gradient a share (`shaping`) reaches h': at 0, M is the same M with and without it

loss of one step: -mean over latents of log p(z'_j), plus the cross-entropy of `done`, ends counting ten times, plus
(r - mean)^2 / 2. The paper has no reward head: in its dream every step is worth 1.
Elsewhere: the belief that strings V and M together (`models.vision_memory`), batches and Adam (`methods.vmc`).
"""

from dataclasses import replace
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.nn.dense import Dense
from reverie.nn.recurrent import LSTM

GAUSSIANS = 5
"""Components per latent."""
DONE_WEIGHT = 10.0
"""How much more an end counts than a step that is none."""


class Recurrent(NamedTuple):
    """What M remembers."""

    h: Float[Array, "*batch units"]
    c: Float[Array, "*batch units"]


class Mixture(eqx.Module):
    """What M expects of the next latent, each latent on its own, and of the end."""

    logits: Float[Array, "*batch latent gaussian"]
    mean: Float[Array, "*batch latent gaussian"]
    log_std: Float[Array, "*batch latent gaussian"]
    done: Float[Array, "*batch"] | None
    """Logit of the end; None of a model that does not predict it."""
    reward: Float[Array, "*batch"] | None = None
    """Its mean; None of a model that does not predict it."""

    def sample(self, temperature: float | Float[Array, ""] = 1.0, *, key: PRNGKeyArray) -> Float[Array, "latent"]:
        """z', of one step: a component per latent, then its Gaussian."""
        component_key, noise_key = jr.split(key)
        below = jnp.cumsum(jax.nn.softmax(self.logits / temperature), axis=-1)[..., :-1]
        component = jnp.sum(jr.uniform(component_key, below.shape[:-1])[..., None] >= below, axis=-1)
        chosen = jax.nn.one_hot(component, GAUSSIANS)  # a product is faster than a gather
        mean, log_std = jnp.sum(chosen * self.mean, axis=-1), jnp.sum(chosen * self.log_std, axis=-1)
        return mean + jnp.exp(log_std) * jnp.sqrt(temperature) * jr.normal(noise_key, mean.shape)

    def log_prob(self, z: Float[Array, "latent"]) -> Float[Array, "latent"]:
        """log p(z_j) of each latent."""
        gaussians = jax.scipy.stats.norm.logpdf(z[:, None], self.mean, jnp.exp(self.log_std))
        return jax.nn.logsumexp(jax.nn.log_softmax(self.logits) + gaussians, axis=-1)


class MDNRNN(eqx.Module):
    """The memory, the head that turns it into a mixture, and one for rewards."""

    cell: LSTM
    head: Dense
    reward: Dense | None
    ends: bool = eqx.field(static=True)
    shaping: float = eqx.field(static=True)

    def __init__(
        self, latents: int, action: int, units: int, *, ends: bool, rewards: bool = False, shaping: float = 1.0,
        key: PRNGKeyArray,
    ) -> None:  # fmt: skip
        """`action` is the width of an action vector; with `ends` it predicts them, and is told of beginnings."""
        cell_key, head_key = jr.split(key)
        self.cell = LSTM(latents + action + ends, units, key=cell_key)
        self.head = Dense(units, ends + 3 * GAUSSIANS * latents, key=head_key)
        self.reward = Dense(units, 1, key=jr.fold_in(key, 2)) if rewards else None
        self.ends, self.shaping = ends, shaping

    def initial(self) -> Recurrent:
        """Zeros."""
        zeros = jnp.zeros(self.cell.dense.bias.size // 4)
        return Recurrent(zeros, zeros)

    def advance(
        self, memory: Recurrent, z: Float[Array, "latent"], action: Float[Array, "action"], restart: Bool[Array, ""]
    ) -> Recurrent:
        """Take in a latent and the action that followed it; `restart` says that the latent is an episode's first."""
        flag = [restart[None].astype(z.dtype)] if self.ends else []
        return Recurrent(*self.cell(memory.h, memory.c, jnp.concatenate([z, action, *flag])))

    def predict(self, memory: Recurrent) -> Mixture:
        """The mixture of the latent that comes next."""
        out = self.head(memory.h)
        done = out[0] if self.ends else None
        reward = None if self.reward is None else self.reward(memory.h)[0]
        logits, mean, log_std = jnp.split(out[self.ends :].reshape(-1, 3 * GAUSSIANS), 3, axis=-1)
        return Mixture(logits, mean, log_std, done, reward)

    def judged(self, memory: Recurrent) -> Mixture:
        """The same for learning: of the gradient of the reward a share reaches what is remembered."""
        mixture, still = self.predict(memory), jax.lax.stop_gradient(memory.h)
        if self.reward is None:
            return mixture
        return replace(mixture, reward=self.reward(still + self.shaping * (memory.h - still))[0])


def losses(
    mixture: Mixture, z: Float[Array, "latent"], done: Bool[Array, ""], reward: Float[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """`latent`, `done` and `reward` of one step, for what came; the loss is the sum of those that it predicts."""
    terms = {"latent": -jnp.mean(mixture.log_prob(z))}
    if mixture.done is not None:
        weight = jnp.where(done, DONE_WEIGHT, 1.0)
        terms["done"] = weight * optax.sigmoid_binary_cross_entropy(mixture.done, done.astype(jnp.float32))
    if mixture.reward is not None:
        terms["reward"] = jnp.square(reward - mixture.reward) / 2
    return terms
