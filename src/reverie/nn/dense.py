"""The dense layer of the time before normalisation: Glorot-uniform weights, zero biases.

Glorot & Bengio, AISTATS 2010; TensorFlow's default, and with it Ha & Schmidhuber's (arXiv 1803.10122), PlaNet's and
Dreamer 1's. DreamerV3's layer is `nn.linear`. One example at a time.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


class Dense(eqx.Module):
    """y = x W + b."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, *, key: PRNGKeyArray) -> None:
        self.weight = jax.nn.initializers.glorot_uniform()(key, (inputs, outputs))
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        return x @ self.weight + self.bias
