"""Actor and critic: two heads on a state's features, and nothing of how they learn.

DreamerV3 (2025; doi 10.1038/s41586-025-08744-2): 3 hidden layers each.

    actor     choices: a categorical per element, 1 % uniform;  numbers: bounded normal (`maths.distributions`)
    critic    two-hot logits over symexp bins (`maths.scaling`), all zero at first

Deviates from the authors' current code, and agrees with both papers: the discrete actor mixes in `mix` of the uniform
distribution (their head ignores the option it is given); `mix = 0` gives their behaviour.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import BoundedNormal, Choices, split_choices, unimix
from reverie.maths.scaling import BINS, two_hot_mean
from reverie.nn.mlp import Head
from reverie.types import ArraySpec

LAYERS = 3


class Actor(eqx.Module):
    """pi(a | s)."""

    head: Head
    spec: ArraySpec = eqx.field(static=True)
    mix: float = eqx.field(static=True)

    def __init__(self, features: int, units: int, spec: ArraySpec, *, mix: float, key: PRNGKeyArray) -> None:
        outputs = spec.width if spec.kind == "discrete" else 2 * spec.width
        self.head = Head(features, units, LAYERS, outputs, scale=0.01, key=key)
        self.spec, self.mix = spec, mix

    def __call__(self, features: Float[Array, "feature"]) -> Choices | BoundedNormal:
        outputs = self.head(features)
        if self.spec.kind == "continuous":
            return BoundedNormal.from_outputs(*jnp.split(outputs, 2))
        mixed = [unimix(logits, self.mix) for logits in split_choices(outputs, self.spec.classes)]
        return Choices(jnp.concatenate(mixed), self.spec.classes)

    def judge(self, features: Float[Array, "feature"], action: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """ln pi(a | s) of an action that was taken, and the entropy there."""
        distribution = self(features)
        return distribution.log_prob(action), distribution.entropy()


class Critic(eqx.Module):
    """v(s), as two-hot logits."""

    head: Head

    def __init__(self, features: int, units: int, *, key: PRNGKeyArray) -> None:
        self.head = Head(features, units, LAYERS, BINS, scale=0.0, key=key)

    def __call__(self, features: Float[Array, "feature"]) -> Float[Array, "bins"]:
        return self.head(features)

    def value(self, features: Float[Array, "feature"]) -> Float[Array, ""]:
        """The expected return, in raw units."""
        return two_hot_mean(self(features))


def follow(slow: Critic, fast: Critic, *, rate: float) -> Critic:
    """The slow critic, moved by `rate` of the way to the fast one."""
    return jax.tree.map(lambda slow, fast: (1 - rate) * slow + rate * fast, slow, fast)
