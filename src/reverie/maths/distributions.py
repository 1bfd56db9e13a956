"""The distributions that models and actors output, each over one example and in float32.

unimix       p = (1 - u) softmax(logits) + u / K       DreamerV3 (2025): no choice ever has probability 0
straight-through   z = onehot(sample) + p - sg(p)      Bengio et al., arXiv 1308.3432: gradients as if z were p
bounded normal     N(tanh(m), std),  std = low + (high - low) sigmoid(s + 2)      DreamerV3's continuous actor

Samples of the bounded normal are not squashed: the environment clips them, their density is the unclipped one's.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from reverie.types import ArraySpec

MIN_STD, MAX_STD = 0.1, 1.0


def unimix(logits: Float[Array, "*shape classes"], fraction: float) -> Float[Array, "*shape classes"]:
    """Log-probabilities of the softmax mixed with `fraction` of the uniform distribution."""
    probabilities = (1 - fraction) * jax.nn.softmax(logits) + fraction / logits.shape[-1]
    return jnp.log(probabilities)


def sample_index(
    log_probabilities: Float[Array, "*variables classes"], *, key: PRNGKeyArray
) -> Int[Array, "*variables"]:
    """One class per variable, by inverting the cumulative distribution: one random number each, not one per class."""
    classes = log_probabilities.shape[-1]
    cumulative = jnp.exp(log_probabilities) @ jnp.triu(jnp.ones((classes, classes)))
    threshold = jr.uniform(key, (*log_probabilities.shape[:-1], 1)) * cumulative[..., -1:]
    return jnp.minimum(jnp.sum(cumulative <= threshold, axis=-1), classes - 1)


def straight_through(
    log_probabilities: Float[Array, "variables classes"], *, key: PRNGKeyArray
) -> Float[Array, "variables classes"]:
    """A one-hot sample per variable whose gradient is that of the probabilities."""
    index = sample_index(jax.lax.stop_gradient(log_probabilities), key=key)
    probabilities = jnp.exp(log_probabilities)
    return jax.nn.one_hot(index, log_probabilities.shape[-1]) + (probabilities - jax.lax.stop_gradient(probabilities))


def action_vector(spec: ArraySpec, action: Array) -> Float[Array, "action"]:
    """What a network receives for an action (or a discrete observation): one-hot choices side by side, or numbers."""
    if spec.kind != "discrete":
        return action.astype(jnp.float32).reshape(-1)
    return jnp.concatenate([jax.nn.one_hot(action[i], n) for i, n in enumerate(spec.classes)])


def split_choices(flat: Float[Array, "*shape total"], classes: tuple[int, ...]) -> list[Float[Array, "*shape classes"]]:
    """What stands side by side, taken apart: one array per choice."""
    return jnp.split(flat, [sum(classes[: i + 1]) for i in range(len(classes) - 1)], axis=-1)


class Choices(eqx.Module):
    """Independent categoricals, element i over `classes[i]` (a discrete or multi-discrete action)."""

    logits: Float[Array, "total"]
    classes: tuple[int, ...] = eqx.field(static=True)

    def _log_probabilities(self) -> list[Float[Array, "classes"]]:
        return [jax.nn.log_softmax(part) for part in split_choices(self.logits, self.classes)]

    def sample(self, *, key: PRNGKeyArray) -> Int[Array, "variables"]:
        keys = jr.split(key, len(self.classes))
        pairs = zip(self._log_probabilities(), keys, strict=True)
        return jnp.stack([sample_index(log_p, key=k) for log_p, k in pairs]).astype(jnp.int32)

    def log_prob(self, action: Int[Array, "variables"]) -> Float[Array, ""]:
        return sum((log_p[action[i]] for i, log_p in enumerate(self._log_probabilities())), jnp.zeros(()))

    def entropy(self) -> Float[Array, ""]:
        return sum((-jnp.sum(jnp.exp(log_p) * log_p) for log_p in self._log_probabilities()), jnp.zeros(()))


class BoundedNormal(eqx.Module):
    """Independent normals around tanh(m) with a bounded standard deviation."""

    mean: Float[Array, "action"]
    std: Float[Array, "action"]

    @classmethod
    def from_outputs(cls, mean: Float[Array, "action"], std: Float[Array, "action"]) -> "BoundedNormal":
        return cls(jnp.tanh(mean), MIN_STD + (MAX_STD - MIN_STD) * jax.nn.sigmoid(std + 2))

    def sample(self, *, key: PRNGKeyArray) -> Float[Array, "action"]:
        return self.mean + self.std * jr.normal(key, self.mean.shape)

    def log_prob(self, action: Float[Array, "action"]) -> Float[Array, ""]:
        return jnp.sum(jax.scipy.stats.norm.logpdf(action, self.mean, self.std))

    def entropy(self) -> Float[Array, ""]:
        return jnp.sum(0.5 * jnp.log(2 * jnp.pi * jnp.e * self.std**2))
