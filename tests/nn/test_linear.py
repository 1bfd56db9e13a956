import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.nn.linear import BlockLinear, Linear, initial_weight

KEY, X = jr.key(0), jnp.arange(6.0) - 2


def test_initial_weights_are_a_truncated_normal_of_variance_1_over_fan_in():
    weight = np.asarray(initial_weight((500, 400), 500, key=KEY), float)
    np.testing.assert_allclose(weight.var() * 500, 1, rtol=0.01)
    np.testing.assert_allclose(weight.mean(), 0, atol=5e-4)
    np.testing.assert_allclose(np.abs(weight).max() * np.sqrt(500), 2 * 1.1368, rtol=1e-3)


@pytest.mark.parametrize("scale", [0.0, 0.01])
def test_initial_scale_multiplies_the_weights(scale):
    scaled, usual = (np.asarray(initial_weight((6, 9), 6, scale=s, key=KEY)) for s in (scale, 1.0))
    np.testing.assert_allclose(scaled, scale * usual, rtol=1e-6)


@pytest.mark.parametrize("make", [Linear, lambda i, o, **rest: BlockLinear(i, o, 8, **rest)], ids=["dense", "blocks"])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_layer_begins_with_variance_1_over_its_whole_input(make, scale):
    """For blocks too: over the 256 of the full input, not over the 32 that a block sees."""
    layer = make(256, 1200, scale=scale, key=KEY)
    np.testing.assert_allclose(np.var(np.asarray(layer.weight)) * 256, scale**2, rtol=0.03)
    assert not layer.bias.any()


def test_linear_is_x_w_plus_b():
    layer = random_parameters(Linear, 6, 9)
    expected = np.asarray(X, float) @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5)


def test_block_linear_is_a_block_diagonal_matrix():
    layer = random_parameters(BlockLinear, 6, 9, 3)
    matrix = np.zeros((6, 9))
    for k, block in enumerate(np.asarray(layer.weight)):
        matrix[2 * k : 2 * k + 2, 3 * k : 3 * k + 3] = block
    np.testing.assert_allclose(layer(X), np.asarray(X, float) @ matrix + np.asarray(layer.bias, float), rtol=1e-5)


@pytest.mark.parametrize(("inputs", "outputs"), [(5, 6), (6, 5)])
def test_blocks_must_divide(inputs, outputs):
    with pytest.raises(ValueError, match=f"2 blocks must divide inputs={inputs} and outputs={outputs}"):
        BlockLinear(inputs, outputs, 2, key=KEY)


@pytest.mark.parametrize(("make", "blocks"), [(Linear, ()), (BlockLinear, (3,))], ids=["dense", "blocks"])
def test_the_input_s_dtype_is_computed_in_and_parameters_stay_float32(make, blocks):
    layer = random_parameters(make, 6, 9, *blocks)
    assert layer(X).dtype == jnp.float32
    assert layer(X.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(layer)} == {jnp.dtype("float32")}
