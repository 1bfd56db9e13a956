import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.nn.mlp import MLP, Head, Hidden

KEY, X = jr.key(0), jnp.arange(5.0) - 1.7


def plain(layer, x):
    """silu(rms(x W + b)) in NumPy."""
    y = x @ np.asarray(layer.linear.weight, float) + np.asarray(layer.linear.bias, float)
    y = y / np.sqrt((y**2).mean() + 1e-4) * np.asarray(layer.norm.scale, float)
    return y / (1 + np.exp(-y))


def test_hidden_layer():
    layer = random_parameters(Hidden, 5, 4)
    np.testing.assert_allclose(layer(X), plain(layer, np.asarray(X, float)), rtol=1e-4, atol=1e-6)


def test_mlp_is_its_layers_one_after_the_other():
    mlp = random_parameters(MLP, 5, 4, 3)
    assert len(mlp.layers) == 3
    y = np.asarray(X, float)
    for layer in mlp.layers:
        y = plain(layer, y)
    np.testing.assert_allclose(mlp(X), y, rtol=1e-4, atol=1e-5)


def test_layers_begin_with_different_weights():
    _, second, third = MLP(5, 4, 3, key=KEY).layers
    assert not np.allclose(second.linear.weight, third.linear.weight)


def test_head_ends_in_a_linear_layer():
    head = random_parameters(Head, 5, 4, 2, 3)
    hidden = np.asarray(head.mlp(X), float)
    expected = hidden @ np.asarray(head.out.weight, float) + np.asarray(head.out.bias, float)
    np.testing.assert_allclose(head(X), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0])
def test_head_s_scale_is_of_its_last_layer_alone(scale):
    head, usual = Head(5, 4, 1, 3, scale=scale, key=KEY), Head(5, 4, 1, 3, key=KEY)
    np.testing.assert_allclose(head.out.weight, scale * np.asarray(usual.out.weight), rtol=1e-6)
    assert eqx.tree_equal(head.mlp, usual.mlp)
    assert scale or not head(X).any()


def test_hidden_layers_compute_in_bfloat16_and_what_leaves_a_head_is_float32():
    head, x = random_parameters(Head, 5, 4, 2, 3), X.astype(jnp.bfloat16)
    assert head.mlp(x).dtype == jnp.bfloat16
    assert head(x).dtype == jnp.float32
    np.testing.assert_allclose(head(x), head(X), atol=0.1)
