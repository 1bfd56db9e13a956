"""Multi-layer perceptron: hidden layers of Linear, RMSNorm, SiLU, and an optional last Linear.

DreamerV3 (2025). The hidden layers compute in the input's dtype; what leaves the last layer is float32, because
every distribution and loss is computed in float32.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn.linear import Linear
from reverie.nn.norm import RMSNorm


class Hidden(eqx.Module):
    """silu(rms(x W + b))."""

    linear: Linear
    norm: RMSNorm

    def __init__(self, inputs: int, units: int, *, key: PRNGKeyArray) -> None:
        self.linear = Linear(inputs, units, key=key)
        self.norm = RMSNorm(units)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "units"]:
        return jax.nn.silu(self.norm(self.linear(x)))


class MLP(eqx.Module):
    """`layers` hidden layers of `units`."""

    layers: tuple[Hidden, ...]

    def __init__(self, inputs: int, units: int, layers: int, *, key: PRNGKeyArray) -> None:
        keys = jr.split(key, layers)
        self.layers = tuple(Hidden(units if i else inputs, units, key=keys[i]) for i in range(layers))

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "units"]:
        for layer in self.layers:
            x = layer(x)
        return x


class Head(eqx.Module):
    """A perceptron that ends in a linear layer of its own initial scale; float32 out."""

    mlp: MLP
    out: Linear

    def __init__(
        self, inputs: int, units: int, layers: int, outputs: int, *, scale: float = 1.0, key: PRNGKeyArray
    ) -> None:
        mlp_key, out_key = jr.split(key)
        self.mlp = MLP(inputs, units, layers, key=mlp_key)
        self.out = Linear(units, outputs, scale=scale, key=out_key)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        return self.out(self.mlp(x)).astype(jnp.float32)
