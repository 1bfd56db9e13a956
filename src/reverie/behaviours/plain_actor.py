"""The actor before DreamerV3: a perceptron on a state's features, whose distribution lets gradients through.

    numbers   Dreamer 1 (arXiv 1912.01603): `TanhNormal`;  DreamerV2 (arXiv 2010.02193): `TruncatedNormal`
    choices   both: one-hot, straight-through

Critics of that time are a `nn.perceptron.Perceptron` with one output, the mean of a normal of unit variance.
"""

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.action_distributions import OneHot, TanhNormal, TruncatedNormal
from reverie.nn.perceptron import Perceptron
from reverie.types import ArraySpec


class PlainActor(eqx.Module):
    """pi(a | s)."""

    perceptron: Perceptron
    spec: ArraySpec = eqx.field(static=True)
    normal: type[TanhNormal] | type[TruncatedNormal] = eqx.field(static=True)

    def __init__(
        self,
        features: int,
        units: int,
        layers: int,
        spec: ArraySpec,
        *,
        normal: type[TanhNormal] | type[TruncatedNormal],
        norm: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        """`normal`: which one numbers are drawn from."""
        outputs = spec.width if spec.kind == "discrete" else 2 * spec.width
        self.perceptron = Perceptron(features, units, layers, outputs, activation="elu", norm=norm, key=key)
        self.spec, self.normal = spec, normal

    def __call__(self, features: Float[Array, "feature"]) -> OneHot | TanhNormal | TruncatedNormal:
        outputs = self.perceptron(features)
        if self.spec.kind == "discrete":
            return OneHot(outputs, self.spec.classes)
        return self.normal.from_outputs(outputs)
