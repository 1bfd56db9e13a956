"""Dense and block-diagonal layers, with the initialiser that every layer shares.

DreamerV3 (Hafner et al. 2025, doi 10.1038/s41586-025-08744-2), as the authors' code has it:

    y = x W + b        W ~ truncated normal on [-2, 2] standard deviations, variance scale^2 / fan_in; b = 0

A block-diagonal layer's fan_in is the FULL input width, not that of a block: sqrt(blocks) smaller than one would guess.
One example at a time, computed in the dtype of the input; parameters stay float32.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

UNIT_VARIANCE = 1.1368
"""Makes the variance of a standard normal truncated at +-2 equal to one again (the reference's rounding)."""


def initial_weight(shape: tuple[int, ...], fan_in: int, *, scale: float = 1.0, key: PRNGKeyArray) -> Array:
    """Truncated normal of variance scale^2 / fan_in; zeros for scale 0."""
    standard = jr.truncated_normal(key, -2.0, 2.0, shape, jnp.float32)
    return standard * (UNIT_VARIANCE * scale * fan_in**-0.5)


class Linear(eqx.Module):
    """y = x W + b."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, *, scale: float = 1.0, key: PRNGKeyArray) -> None:
        self.weight = initial_weight((inputs, outputs), inputs, scale=scale, key=key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        return x @ self.weight.astype(x.dtype) + self.bias.astype(x.dtype)


class BlockLinear(eqx.Module):
    """y_k = x_k W_k + b_k for each of `blocks` equal slices of the input and the output."""

    weight: Float[Array, "blocks block_inputs block_outputs"]
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, blocks: int, *, scale: float = 1.0, key: PRNGKeyArray) -> None:
        if inputs % blocks or outputs % blocks:
            raise ValueError(f"BlockLinear: {blocks} blocks must divide inputs={inputs} and outputs={outputs}")
        shape = (blocks, inputs // blocks, outputs // blocks)
        self.weight = initial_weight(shape, inputs, scale=scale, key=key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "outputs"]:
        slices = x.reshape(self.weight.shape[0], -1)
        y = jax.vmap(jnp.matmul)(slices, self.weight.astype(x.dtype))
        return y.reshape(-1) + self.bias.astype(x.dtype)
