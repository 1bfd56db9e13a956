"""The perceptron of the papers before normalisation: hidden dense layers with one activation, then a linear one.

PlaNet (arXiv 1811.04551: relu), Dreamer 1 (arXiv 1912.01603: elu), DreamerV2 (arXiv 2010.02193: elu; on Crafter with
a LayerNorm before it). DreamerV3's is `nn.mlp`. One example at a time.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn.dense import Dense
from reverie.nn.norm import LayerNorm

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": jax.nn.relu, "elu": jax.nn.elu}


class Perceptron(eqx.Module):
    """y = W_n act(... act(W_1 x + b_1) ...) + b_n; with `outputs` 0 the last hidden layer is what comes out."""

    hidden: tuple[Dense, ...]
    norms: tuple[LayerNorm, ...]
    out: Dense | None
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        units: int,
        layers: int,
        outputs: int,
        *,
        activation: str,
        norm: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        """`layers` hidden layers of `units`."""
        *keys, out_key = jr.split(key, layers + 1)
        self.hidden = tuple(Dense(units if i else inputs, units, key=k) for i, k in enumerate(keys))
        self.norms = tuple(LayerNorm(units) for _ in keys) if norm else ()
        self.out = Dense(units if layers else inputs, outputs, key=out_key) if outputs else None
        self.activation = activation

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        for index, dense in enumerate(self.hidden):
            x = dense(x)
            x = self.norms[index](x) if self.norms else x
            x = ACTIVATIONS[self.activation](x)
        return self.out(x) if self.out else x
