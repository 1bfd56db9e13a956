"""The recurrent cells against the sheet's formulas in NumPy, the block GRU block by block."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.nn.recurrent import LSTM, BlockGRU

DETER, INPUTS, HIDDEN, BLOCKS = 8, (4, 3), 5, 2
KEY = jr.key(0)


@pytest.fixture(scope="module")
def cell():
    return random_parameters(BlockGRU, DETER, INPUTS, HIDDEN, BLOCKS)


@pytest.fixture(scope="module")
def inputs():
    return [jnp.asarray(np.sin(3.0 * np.arange(width) + i), jnp.float32) for i, width in enumerate((DETER, *INPUTS))]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu_rms(x, scale):
    y = x / np.sqrt((x**2).mean() + 1e-4) * scale
    return y * sigmoid(y)


def plain(cell, deter, *inputs):
    """h' as section 5.2 of the paper's sheet writes it."""
    cell = jax.tree.map(lambda leaf: np.asarray(leaf, float), cell)
    deter, *inputs = (np.asarray(x, float) for x in (deter, *inputs))
    shared = []
    for embed, x in zip(cell.embeddings, (deter, *inputs), strict=True):
        shared.append(silu_rms(x @ embed.linear.weight + embed.linear.bias, embed.norm.scale))
    size = DETER // BLOCKS
    mixed = [np.concatenate([deter[k * size : (k + 1) * size], *shared]) @ cell.mix.weight[k] for k in range(BLOCKS)]
    mixed = silu_rms(np.concatenate(mixed) + cell.mix.bias, cell.norm.scale)
    new = []
    for k in range(BLOCKS):
        block = slice(k * size, (k + 1) * size)
        gates = mixed[block] @ cell.gates.weight[k] + cell.gates.bias[3 * k * size : 3 * (k + 1) * size]
        reset, candidate, update = gates[:size], gates[size : 2 * size], gates[2 * size :]
        candidate, update = np.tanh(sigmoid(reset) * candidate), sigmoid(update - 1)
        new.append(update * candidate + (1 - update) * deter[block])
    return np.concatenate(new)


def test_against_numpy(cell, inputs):
    np.testing.assert_allclose(cell(*inputs), plain(cell, *inputs), rtol=1e-4, atol=1e-5)


def test_sharing_the_embeddings_between_the_blocks_is_the_block_layer_itself(cell, inputs):
    """`_mix` does not copy them to every block; the layer it stands for does."""
    deter, shared = inputs[0], jr.normal(KEY, (HIDDEN * len(inputs),))
    copied = jnp.concatenate([jnp.concatenate([own, shared]) for own in jnp.split(deter, BLOCKS)])
    np.testing.assert_allclose(cell._mix(deter, shared), cell.mix(copied), rtol=1e-5, atol=1e-5)


def test_blocks_see_only_their_own_memory_but_for_its_embedding(cell, inputs):
    jacobian = jax.jacobian(lambda h: cell._mix(h, jnp.zeros(HIDDEN * 3)))(inputs[0])
    reached = np.abs(np.asarray(jacobian)).reshape(BLOCKS, 4, BLOCKS, 4).max((1, 3)) > 0
    np.testing.assert_array_equal(reached, np.eye(BLOCKS, dtype=bool))


def test_the_memory_s_inertia(cell):
    """Without parameters the update gate is sigmoid(-1) = .268941 and the candidate 0: h' = .731059 h."""
    memory, empty = jnp.arange(8.0) - 3, jax.tree.map(jnp.zeros_like, cell)
    new = empty(memory, jnp.ones(INPUTS[0]), jnp.ones(INPUTS[1]))
    np.testing.assert_allclose(new, (1 - 0.268941) * np.asarray(memory), rtol=1e-5)


def test_initial_weights_have_the_variance_of_the_whole_input():
    """fan_in of the mixing layer: h and, for every block, all embeddings."""
    cell = BlockGRU(64, (32, 16), 32, 4, key=KEY)
    np.testing.assert_allclose(np.var(np.asarray(cell.mix.weight)) * (64 + 4 * 3 * 32), 1, rtol=0.05)
    np.testing.assert_allclose(np.var(np.asarray(cell.gates.weight)) * 64, 1, rtol=0.05)


def test_bfloat16_in_bfloat16_out(cell, inputs):
    new = cell(*(x.astype(jnp.bfloat16) for x in inputs))
    assert new.dtype == jnp.bfloat16
    np.testing.assert_allclose(new.astype(jnp.float32), cell(*inputs), atol=0.1)


def test_lstm_against_numpy():
    cell = random_parameters(LSTM, 3, 2)
    h, c, x = (np.sin(np.arange(n) + n).astype(np.float32) for n in (2, 2, 3))
    gates = np.concatenate([x, h]) @ np.asarray(cell.dense.weight) + np.asarray(cell.dense.bias)
    into, candidate, forget, out = gates.reshape(4, 2)
    expected = sigmoid(forget + 1) * c + sigmoid(into) * np.tanh(candidate)
    new_h, new_c = cell(jnp.asarray(h), jnp.asarray(c), jnp.asarray(x))
    np.testing.assert_allclose(new_c, expected, rtol=1e-5)
    np.testing.assert_allclose(new_h, sigmoid(out) * np.tanh(expected), rtol=1e-5)
