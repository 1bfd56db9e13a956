"""The actors' distributions before DreamerV3: samples are vectors in [-1, 1] or one-hot, with gradients through them.

    TanhNormal        a = tanh(N(m, s^2)),  m = 5 tanh(o / 5),  s = softplus(o' + 4.99324) + 1e-4      Dreamer 1
    TruncatedNormal   N(tanh(o), s^2) within [-1, 1],  s = 2 sigmoid(o' / 2) + 0.1                     DreamerV2
    OneHot            independent categoricals, straight-through                                       both

Dreamer 1: Hafner et al., arXiv 1912.01603; DreamerV2: arXiv 2010.02193; both with the numbers of their code.

At first TanhNormal's standard deviation is 5: actions at either end. It has no mode in closed form: the most likely of
100 samples stands for it, as in the paper's code. Elsewhere: DreamerV3's (`maths.distributions`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import split_choices, straight_through

MEAN_SCALE, RAW_STD, LEAST_STD = 5.0, 4.99324, 1e-4
CANDIDATES = 100
"""Samples of which the most likely stands for the mode."""
MARGIN = 1e-6
"""How far samples stay from the ends."""


class TanhNormal(eqx.Module):
    """Independent normals, squashed."""

    mean: Float[Array, "action"]
    std: Float[Array, "action"]

    @classmethod
    def from_outputs(cls, outputs: Float[Array, "two_action"]) -> "TanhNormal":
        mean, std = jnp.split(outputs, 2)
        return cls(MEAN_SCALE * jnp.tanh(mean / MEAN_SCALE), jax.nn.softplus(std + RAW_STD) + LEAST_STD)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "action"]:
        return jnp.tanh(self.mean + self.std * jr.normal(key, self.mean.shape))

    def log_prob(self, action: Float[Array, "action"]) -> Float[Array, ""]:
        """ln N(atanh a) - ln(1 - a^2), summed."""
        inside = jnp.clip(action, -1 + MARGIN, 1 - MARGIN)
        normal = jax.scipy.stats.norm.logpdf(jnp.arctanh(inside), self.mean, self.std)
        return jnp.sum(normal - jnp.log1p(-jnp.square(inside)))

    def mode(self, *, key: PRNGKeyArray) -> Float[Array, "action"]:
        candidates = jax.vmap(lambda key: self.sample(key=key))(jr.split(key, CANDIDATES))
        return candidates[jnp.argmax(jax.vmap(self.log_prob)(candidates))]


class TruncatedNormal(eqx.Module):
    """Independent normals, cut to [-1, 1] and normalised anew."""

    mean: Float[Array, "action"]
    std: Float[Array, "action"]

    @classmethod
    def from_outputs(cls, outputs: Float[Array, "two_action"]) -> "TruncatedNormal":
        mean, std = jnp.split(outputs, 2)
        return cls(jnp.tanh(mean), 2 * jax.nn.sigmoid(std / 2) + 0.1)

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "action"]:
        """By inverting the cumulative distribution; gradients reach mean and std even where a sample is clipped."""
        low, high = (jax.scipy.special.ndtr(end) for end in self._ends())
        between = low + jr.uniform(key, self.mean.shape) * (high - low)
        tiny = jnp.finfo(jnp.float32).eps
        action = self.mean + self.std * jax.scipy.special.ndtri(jnp.clip(between, tiny, 1 - tiny))
        inside = jnp.clip(action, -1 + MARGIN, 1 - MARGIN)
        return action + jax.lax.stop_gradient(inside - action)

    def log_prob(self, action: Float[Array, "action"]) -> Float[Array, ""]:
        return jnp.sum(jax.scipy.stats.norm.logpdf(action, self.mean, self.std) - jnp.log(self._mass()))

    def entropy(self) -> Float[Array, ""]:
        """ln(sqrt(2 pi e) s Z) + (l phi(l) - h phi(h)) / (2 Z), with ends l and h and mass Z between them."""
        low, high = self._ends()
        density = jax.scipy.stats.norm.pdf
        edges = (low * density(low) - high * density(high)) / (2 * self._mass())
        return jnp.sum(jnp.log(jnp.sqrt(2 * jnp.pi * jnp.e) * self.std * self._mass()) + edges)

    def mode(self, *, key: PRNGKeyArray) -> Float[Array, "action"]:
        del key  # known exactly
        return self.mean

    def _ends(self) -> tuple[Float[Array, "action"], Float[Array, "action"]]:
        return (-1 - self.mean) / self.std, (1 - self.mean) / self.std

    def _mass(self) -> Float[Array, "action"]:
        low, high = self._ends()
        return jax.scipy.special.ndtr(high) - jax.scipy.special.ndtr(low)


class OneHot(eqx.Module):
    """Independent categoricals side by side, element i over `classes[i]`."""

    logits: Float[Array, "total"]
    classes: tuple[int, ...] = eqx.field(static=True)

    def _log_probabilities(self) -> list[Float[Array, "classes"]]:
        return [jax.nn.log_softmax(part) for part in split_choices(self.logits, self.classes)]

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "total"]:
        keys = jr.split(key, len(self.classes))
        pairs = zip(self._log_probabilities(), keys, strict=True)
        return jnp.concatenate([straight_through(log_p[None], key=key)[0] for log_p, key in pairs])

    def log_prob(self, action: Float[Array, "total"]) -> Float[Array, ""]:
        return jnp.sum(jnp.concatenate(self._log_probabilities()) * action)

    def entropy(self) -> Float[Array, ""]:
        log_p = jnp.concatenate(self._log_probabilities())
        return -jnp.sum(jnp.exp(log_p) * log_p)

    def mode(self, *, key: PRNGKeyArray) -> Float[Array, "total"]:
        del key  # known exactly
        best = [jax.nn.one_hot(jnp.argmax(log_p), len(log_p)) for log_p in self._log_probabilities()]
        return jnp.concatenate(best)
