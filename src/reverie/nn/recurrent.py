"""Recurrent cells.

Block GRU of DreamerV3 (2025; doi 10.1038/s41586-025-08744-2, Methods; the authors' code fixes the details). Memory h of
width deter in `blocks` blocks, any number of further inputs x_i:

    e_i = silu(rms(Linear(x_i)))                              one embedding of width hidden per input, h among them
    u   = silu(rms(BlockLinear([h_k, e_1, ..., e_n])))         every block k sees its own h_k and all embeddings
    reset, candidate, update = split(BlockLinear(u))           split inside each block
    c  = tanh(sigmoid(reset) * candidate);   g = sigmoid(update - 1)
    h' = g c + (1 - g) h

The reset gate multiplies the candidate's pre-activation, and the norm of u runs over all blocks together.

LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000) of the world models of 2018, all gates from [x, h]:

    c' = sigmoid(forget + 1) c + sigmoid(input) tanh(candidate);   h' = sigmoid(output) tanh(c')
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn.dense import Dense
from reverie.nn.linear import BlockLinear
from reverie.nn.mlp import Hidden
from reverie.nn.norm import RMSNorm


class BlockGRU(eqx.Module):
    """h' = f(h, x_1, ..., x_n)."""

    embeddings: tuple[Hidden, ...]
    mix: BlockLinear
    norm: RMSNorm
    gates: BlockLinear

    def __init__(self, deter: int, inputs: tuple[int, ...], hidden: int, blocks: int, *, key: PRNGKeyArray) -> None:
        """`inputs` are the widths of x_1, ..., x_n."""
        *embedding_keys, mix_key, gates_key = jr.split(key, len(inputs) + 3)
        widths = (deter, *inputs)
        self.embeddings = tuple(Hidden(w, hidden, key=k) for w, k in zip(widths, embedding_keys, strict=True))
        self.mix = BlockLinear(deter + blocks * hidden * len(widths), deter, blocks, key=mix_key)
        self.norm = RMSNorm(deter)
        self.gates = BlockLinear(deter, 3 * deter, blocks, key=gates_key)

    def __call__(self, deter: Float[Array, "deter"], *inputs: Float[Array, "..."]) -> Float[Array, "deter"]:
        embedded = jnp.concatenate([embed(x) for embed, x in zip(self.embeddings, (deter, *inputs), strict=True)])
        mixed = jax.nn.silu(self.norm(self._mix(deter, embedded)))
        reset, candidate, update = self._gate(mixed)
        candidate = jnp.tanh(jax.nn.sigmoid(reset) * candidate)
        update = jax.nn.sigmoid(update - 1)
        return update * candidate + (1 - update) * deter

    def _gate(self, mixed: Float[Array, "deter"]) -> list[Float[Array, "deter"]]:
        """`split(gates(mixed))` as one product per gate: splitting the outputs inside each block is slow on a CPU."""
        blocks, inputs, _ = self.gates.weight.shape
        weight = self.gates.weight.astype(mixed.dtype).reshape(blocks, inputs, 3, -1)
        bias = self.gates.bias.astype(mixed.dtype).reshape(blocks, 3, -1)
        rows = mixed.reshape(blocks, inputs)
        return [(jax.vmap(jnp.matmul)(rows, weight[:, :, gate]) + bias[:, gate]).reshape(-1) for gate in range(3)]

    def _mix(self, deter: Float[Array, "deter"], shared: Float[Array, "shared"]) -> Float[Array, "deter"]:
        """`mix([h_k, shared])` without copying `shared` to every block: their columns side by side are one matrix."""
        blocks, _, outputs = self.mix.weight.shape
        weight = self.mix.weight.astype(deter.dtype)
        own, common = weight[:, : deter.size // blocks], weight[:, deter.size // blocks :]
        from_own = jax.vmap(jnp.matmul)(deter.reshape(blocks, -1), own).reshape(-1)
        from_common = shared @ common.transpose(1, 0, 2).reshape(-1, blocks * outputs)
        return from_own + from_common + self.mix.bias.astype(deter.dtype)


class LSTM(eqx.Module):
    """(h, c)' = f(h, c, x): the standard cell, four gates from one product, the forget gate's bias one higher."""

    dense: Dense

    def __init__(self, inputs: int, units: int, *, key: PRNGKeyArray) -> None:
        self.dense = Dense(inputs + units, 4 * units, key=key)

    def __call__(
        self, h: Float[Array, "units"], c: Float[Array, "units"], x: Float[Array, "inputs"]
    ) -> tuple[Float[Array, "units"], Float[Array, "units"]]:
        input_, candidate, forget, output = jnp.split(self.dense(jnp.concatenate([x, h])), 4)
        c = jax.nn.sigmoid(forget + 1) * c + jax.nn.sigmoid(input_) * jnp.tanh(candidate)
        return jax.nn.sigmoid(output) * jnp.tanh(c), c
