"""C of World Models: the smallest thing that can act, small enough to be evolved.

Ha & Schmidhuber, arXiv 1803.10122, section 2.3 and appendix A.3:

    y = tanh(W x + b)                          867 parameters for CarRacing: x = (z, h), 288 numbers, and 3 outputs
    y = tanh(W x)                              1,088 for Doom: x = (z, c, h), one output, no bias
    y = tanh(V tanh(W z + b) + d)              1,443: z alone, 40 hidden units

Flat, as evolution wants it: per layer the biases first, then the matrix. What y means to an environment says `Obeyed`.
"""

from dataclasses import dataclass
from itertools import pairwise

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from reverie.types import ArraySpec


class Controller(eqx.Module):
    """The parameters, flat, and how they are cut into layers."""

    parameters: Float[Array, "*batch parameter"]
    widths: tuple[int, ...] = eqx.field(static=True)
    """Of x, of hidden layers, of y."""
    bias: bool = eqx.field(static=True, default=True)

    @classmethod
    def zero(cls, widths: tuple[int, ...], *, bias: bool = True) -> "Controller":
        """All parameters 0: what evolution starts from."""
        count = sum((inputs + bias) * outputs for inputs, outputs in pairwise(widths))
        return cls(jnp.zeros(count), widths, bias)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        """y, every element from -1 to 1."""
        rest = self.parameters
        for inputs, outputs in pairwise(self.widths):
            biases, matrix, rest = jnp.split(rest, [self.bias * outputs, self.bias * outputs + inputs * outputs])
            x = jnp.tanh(matrix.reshape(outputs, inputs) @ x + (biases if self.bias else 0.0))
        return x


@dataclass(frozen=True)
class Obeyed:
    """The action that numbers from -1 to 1 stand for, and the other way round.

    Of n choices, each has an n-th of the way from -1 to 1 (Doom's thresholds are -1/3 and 1/3). A continuous action is
    what it is: the model's form of it goes from -1 to 1 too.
    """

    spec: ArraySpec
    order: tuple[int, ...] = ()
    """Of one choice: which lies where on the way; empty: as they are numbered."""
    clipped: tuple[int, ...] = ()
    """Elements of a continuous action whose lower half means the lowest (CarRacing's brake)."""

    @property
    def outputs(self) -> int:
        """How many numbers it takes: one for each choice to be made, or element of a continuous action."""
        return self.spec.shape[0]

    def __call__(self, y: Float[Array, "outputs"]) -> Float[Array, "outputs"] | Int[Array, "outputs"]:
        """The action, as `spec` says."""
        if self.spec.kind == "continuous":
            halves = jnp.isin(jnp.arange(len(y)), jnp.asarray(self.clipped, jnp.int32))
            return jnp.where(halves, 2 * jnp.clip(y, 0, 1) - 1, y)
        count = jnp.asarray(self.spec.classes, jnp.float32)
        place = jnp.clip(jnp.floor((y + 1) / 2 * count), 0, count - 1).astype(jnp.int32)
        return jnp.asarray(self.order, jnp.int32)[place] if self.order else place

    def dial(self) -> Float[Array, "action outputs"] | None:
        """What turns an action's vector into the numbers that M reads: of a choice, the middle of its part of the way.

        None for continuous actions, which M reads as they are.
        """
        if self.spec.kind == "continuous":
            return None
        columns = []
        for count in self.spec.classes:
            places = jnp.argsort(jnp.asarray(self.order)) if self.order else jnp.arange(count)
            columns.append((2 * places.astype(jnp.float32) + 1) / count - 1)
        blocks = [jnp.zeros((len(column), len(columns))).at[:, at].set(column) for at, column in enumerate(columns)]
        return jnp.concatenate(blocks)


WAYS: dict[str, dict[str, tuple[int, ...]]] = {
    "VizdoomTakeCover-v1": {"order": (2, 0, 1)},
    "CarRacing-v3": {"clipped": (2,)},
}
"""What the paper's controllers say to its two worlds: left, nothing, right; and a brake that is off below 0."""


def obeyed_in(environment: str, spec: ArraySpec) -> Obeyed:
    """What the numbers of C mean in an environment."""
    return Obeyed(spec, **WAYS.get(environment, {}))
