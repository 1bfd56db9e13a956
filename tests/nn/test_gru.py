"""Each cell against its paper's library, written out in NumPy."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.nn.gru import GRU, NormGRU, ResetAfterGRU

INPUTS, UNITS = 3, 4
H, X = np.linspace(-1, 1, UNITS), np.linspace(2, -1, INPUTS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def block_cell(cell):
    weight, bias = np.asarray(cell.gates.weight), np.asarray(cell.gates.bias)
    gates = sigmoid(np.concatenate([X, H]) @ weight + bias)
    r, u = gates[:UNITS], gates[UNITS:]
    c = np.tanh(np.concatenate([X, r * H]) @ np.asarray(cell.candidate.weight) + np.asarray(cell.candidate.bias))
    return u * H + (1 - u) * c


def keras_cell(cell):
    z_x, r_x, h_x = np.split(X @ np.asarray(cell.inputs.weight) + np.asarray(cell.inputs.bias), 3)
    z_h, r_h, h_h = np.split(H @ np.asarray(cell.memory.weight) + np.asarray(cell.memory.bias), 3)
    z, r = sigmoid(z_x + z_h), sigmoid(r_x + r_h)
    return z * H + (1 - z) * np.tanh(h_x + r * h_h)


def norm_cell(cell):
    parts = np.concatenate([X, H]) @ np.asarray(cell.dense.weight) + np.asarray(cell.dense.bias)
    parts = (parts - parts.mean()) / np.sqrt(parts.var() + 1e-3)
    r, c, u = np.split(parts * np.asarray(cell.norm.scale) + np.asarray(cell.norm.shift), 3)
    u = sigmoid(u - 1)
    return u * np.tanh(sigmoid(r) * c) + (1 - u) * H


@pytest.mark.parametrize(
    ("kind", "plain"),
    [(GRU, block_cell), (ResetAfterGRU, keras_cell), (NormGRU, norm_cell)],
    ids=lambda it: it.__name__,
)
def test_against_numpy(kind, plain):
    cell = random_parameters(kind, INPUTS, UNITS)
    np.testing.assert_allclose(cell(jnp.float32(H), jnp.float32(X)), plain(cell), rtol=1e-4, atol=1e-5)


def test_counts():
    """Dreamer 1's cell has two vectors of biases; PlaNet's one; DreamerV2's one and the norm's two."""
    count = {
        kind: sum(leaf.size for leaf in jax.tree.leaves(random_parameters(kind, 200, 200)))
        for kind in (GRU, ResetAfterGRU, NormGRU)
    }
    assert count == {GRU: 240_600, ResetAfterGRU: 241_200, NormGRU: 241_800}


def test_what_they_begin_with():
    """Ones keep PlaNet's gates open; an update gate of sigmoid(-1) lets DreamerV2 forget little (section 7, item 8)."""
    assert (GRU(3, 4, key=jr.key(0)).gates.bias == 1).all()
    weight = ResetAfterGRU(3, 4, key=jr.key(0)).memory.weight
    np.testing.assert_allclose(weight @ weight.T, np.eye(4), atol=1e-5)
    h = NormGRU(3, 4, key=jr.key(0))(jnp.ones(4), jnp.zeros(3))
    silent = jax.tree.map(jnp.zeros_like, NormGRU(3, 4, key=jr.key(0)))
    np.testing.assert_allclose(silent(jnp.ones(4), jnp.zeros(3)), np.full(4, 1 - 0.268941), rtol=1e-5)
    assert np.abs(h).max() <= 1
