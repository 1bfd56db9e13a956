"""The gated recurrent units of PlaNet, Dreamer 1 and DreamerV2: (h, x) -> h', each as its paper's library has it.

Cho et al., arXiv 1406.1078. r is the reset gate, u the update gate, c the candidate; "g * h" is elementwise.

    GRU             r, u = sigmoid(W [x, h] + b), b from 1;  c = tanh(W_c [x, r * h] + b_c);    h' = u h + (1 - u) c
    ResetAfterGRU   r, u = sigmoid(W x + b + V h + d);       c = tanh(W_c x + b_c + r (V_c h + d_c)),     h' the same
    NormGRU         r, c, u = LayerNorm(W [x, h] + b);       c = tanh(sigmoid(r) c),  u = sigmoid(u - 1),
                                                                                      h' = u c + (1 - u) h

GRU: PlaNet (arXiv 1811.04551), TensorFlow's block cell. ResetAfterGRU: Dreamer 1 (arXiv 1912.01603), Keras's cell,
with recurrent weights that are orthogonal at first. NormGRU: DreamerV2 (arXiv 2010.02193); its u is what is taken of
the new. The block GRU of DreamerV3 is in `nn.recurrent`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn.dense import Dense
from reverie.nn.norm import LayerNorm


class GRU(eqx.Module):
    """The reset gate on the memory, before the product."""

    gates: Dense
    candidate: Dense

    def __init__(self, inputs: int, units: int, *, key: PRNGKeyArray) -> None:
        gates_key, candidate_key = jr.split(key)
        gates = Dense(inputs + units, 2 * units, key=gates_key)
        self.gates = eqx.tree_at(lambda dense: dense.bias, gates, jnp.ones(2 * units))
        self.candidate = Dense(inputs + units, units, key=candidate_key)

    def __call__(self, h: Float[Array, "units"], x: Float[Array, "inputs"]) -> Float[Array, "units"]:
        reset, update = jnp.split(jax.nn.sigmoid(self.gates(jnp.concatenate([x, h]))), 2)
        candidate = jnp.tanh(self.candidate(jnp.concatenate([x, reset * h])))
        return update * h + (1 - update) * candidate


class ResetAfterGRU(eqx.Module):
    """The reset gate after the product, a bias of its own with it."""

    inputs: Dense
    memory: Dense

    def __init__(self, inputs: int, units: int, *, key: PRNGKeyArray) -> None:
        inputs_key, memory_key, orthogonal_key = jr.split(key, 3)
        self.inputs = Dense(inputs, 3 * units, key=inputs_key)
        weight = jax.nn.initializers.orthogonal()(orthogonal_key, (units, 3 * units))
        self.memory = eqx.tree_at(lambda dense: dense.weight, Dense(units, 3 * units, key=memory_key), weight)

    def __call__(self, h: Float[Array, "units"], x: Float[Array, "inputs"]) -> Float[Array, "units"]:
        update, reset, candidate = jnp.split(self.inputs(x), 3)
        from_update, from_reset, from_candidate = jnp.split(self.memory(h), 3)
        update, reset = jax.nn.sigmoid(update + from_update), jax.nn.sigmoid(reset + from_reset)
        candidate = jnp.tanh(candidate + reset * from_candidate)
        return update * h + (1 - update) * candidate


class NormGRU(eqx.Module):
    """One product, normalised; the reset gate on the candidate before its tanh."""

    dense: Dense
    norm: LayerNorm

    def __init__(self, inputs: int, units: int, *, key: PRNGKeyArray) -> None:
        self.dense = Dense(inputs + units, 3 * units, key=key)
        self.norm = LayerNorm(3 * units)

    def __call__(self, h: Float[Array, "units"], x: Float[Array, "inputs"]) -> Float[Array, "units"]:
        reset, candidate, update = jnp.split(self.norm(self.dense(jnp.concatenate([x, h]))), 3)
        candidate = jnp.tanh(jax.nn.sigmoid(reset) * candidate)
        update = jax.nn.sigmoid(update - 1)
        return update * candidate + (1 - update) * h
