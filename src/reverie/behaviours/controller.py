"""C of World Models: the smallest thing that can act, small enough to be evolved.

Ha & Schmidhuber, arXiv 1803.10122, section 2.3 and appendix A.3:

    y = tanh(W x + b)                          867 parameters for CarRacing: x = (z, h), 288 numbers, and 3 outputs
    y = tanh(W x)                              1,088 for Doom: x = (z, c, h), one output, no bias
    y = tanh(V tanh(W z + b) + d)              1,443: z alone, 40 hidden units

Flat, as evolution wants it: per layer the biases first, then the matrix. What y means to an environment says `obeyed`.
"""

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


def outputs(spec: ArraySpec) -> int:
    """How many numbers decide an action: one for each choice to be made, and for each element of a continuous one."""
    return spec.shape[0]


def obeyed(
    spec: ArraySpec, y: Float[Array, "outputs"], *, order: tuple[int, ...] = (), clipped: tuple[int, ...] = ()
) -> Float[Array, "outputs"] | Int[Array, "outputs"]:
    """The action that y stands for, as `spec` says.

    Args:
        spec: of the action. Of n choices, each has an n-th of the way from -1 to 1 (Doom's thresholds are -1/3, 1/3).
        y: from -1 to 1.
        order: which choice lies where on that way; empty: as they are numbered.
        clipped: elements of a continuous action whose lower half means the lowest (CarRacing's brake).
    """
    if spec.kind == "continuous":
        halves = jnp.isin(jnp.arange(len(y)), jnp.asarray(clipped, jnp.int32))
        return jnp.where(halves, 2 * jnp.clip(y, 0, 1) - 1, y)
    count = jnp.asarray(spec.classes, jnp.float32)
    place = jnp.clip(jnp.floor((y + 1) / 2 * count), 0, count - 1).astype(jnp.int32)
    return jnp.asarray(order, jnp.int32)[place] if order else place


def dial(spec: ArraySpec, *, order: tuple[int, ...] = ()) -> Float[Array, "action outputs"] | None:
    """What turns an action's vector into the numbers that M reads: of a choice, the middle of its part of the way.

    None for continuous actions, which M reads as they are.
    """
    if spec.kind == "continuous":
        return None
    columns = []
    for count in spec.classes:
        places = jnp.argsort(jnp.asarray(order)) if order else jnp.arange(count)
        columns.append((2 * places.astype(jnp.float32) + 1) / count - 1)
    blocks = [jnp.zeros((len(column), len(columns))).at[:, at].set(column) for at, column in enumerate(columns)]
    return jnp.concatenate(blocks)
