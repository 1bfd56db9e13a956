"""The dense layer: x W + b, as Glorot had it."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie.nn.dense import Dense


def test_a_product_and_a_bias():
    layer = Dense(3, 2, key=jr.key(0))
    x = jnp.asarray([1.0, -2, 3])
    np.testing.assert_allclose(layer(x), np.asarray(x) @ np.asarray(layer.weight) + np.asarray(layer.bias), rtol=1e-6)


def test_weights_are_uniform_within_glorot_s_bound_and_biases_zero():
    layer = Dense(300, 100, key=jr.key(0))
    bound = (6 / 400) ** 0.5
    assert not layer.bias.any()
    assert 0.99 * bound < np.abs(layer.weight).max() <= bound
    np.testing.assert_allclose(np.std(layer.weight), bound / 3**0.5, rtol=0.02)
