"""Strided and transposed convolutions against sums over taps, and the sizes of Ha & Schmidhuber's autoencoder."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.nn.strided import StridedConv, TransposedConv


def image(height, width, channels):
    return np.sin(0.7 * np.arange(height * width * channels)).reshape(height, width, channels).astype(np.float32)


@pytest.mark.parametrize(("height", "width", "size"), [(9, 6, 4), (8, 8, 4), (7, 9, 3)])
def test_strided_against_a_sum_over_taps(height, width, size):
    layer, x = StridedConv(2, 3, size, key=jr.key(0)), image(height, width, 2)
    rows, columns = (height - size) // 2 + 1, (width - size) // 2 + 1
    expected = np.zeros((rows, columns, 3))
    for i in range(rows):
        for j in range(columns):
            expected[i, j] = np.einsum("uvi,uvio->o", x[2 * i : 2 * i + size, 2 * j : 2 * j + size], layer.weight)
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width", "size"), [(1, 1, 5), (5, 4, 5), (3, 4, 6), (2, 3, 3)])
def test_transposed_against_a_sum_over_taps(height, width, size):
    layer, x = TransposedConv(2, 3, size, key=jr.key(0)), image(height, width, 2)
    expected = np.zeros((2 * (height - 1) + size, 2 * (width - 1) + size, 3))
    for i in range(height):
        for j in range(width):
            expected[2 * i : 2 * i + size, 2 * j : 2 * j + size] += np.einsum("i,uvio->uvo", x[i, j], layer.weight)
    np.testing.assert_allclose(layer(jnp.asarray(x)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", [StridedConv, TransposedConv])
def test_the_bias_is_added_everywhere(kind):
    layer = kind(1, 2, 4, key=jr.key(0))
    biased = jax.tree.map(lambda leaf: leaf + 1 if leaf.ndim == 1 else leaf, layer)
    x = jnp.asarray(image(6, 6, 1))
    np.testing.assert_allclose(biased(x), layer(x) + 1, atol=1e-5)
