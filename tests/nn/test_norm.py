import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.nn.norm import LayerNorm, RMSNorm


@pytest.fixture
def norm():
    return eqx.tree_at(lambda norm: norm.scale, RMSNorm(6), jnp.arange(1.0, 7.0))


@pytest.mark.parametrize("shape", [(6,), (2, 3, 6)])
def test_the_last_axis_is_divided_by_its_root_mean_square(norm, shape):
    x = 0.01 * np.asarray(jr.normal(jr.key(0), shape), float)  # small enough for epsilon to count
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-4) * np.arange(1, 7)
    np.testing.assert_allclose(norm(jnp.float32(x)), expected, rtol=1e-5)


def test_it_begins_with_a_scale_of_one_and_does_not_center():
    np.testing.assert_allclose(RMSNorm(4)(jnp.full(4, 3.0)), np.ones(4), rtol=1e-4)


def test_zeros_stay_zeros(norm):
    assert not norm(jnp.zeros(6)).any()


def test_bfloat16_is_normalised_in_float32(norm):
    x = jr.normal(jr.key(0), (50, 6), jnp.bfloat16)
    y = norm(x)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, norm(x.astype(jnp.float32)).astype(jnp.bfloat16))


def test_layer_norm_centres_too():
    norm = eqx.tree_at(lambda norm: (norm.scale, norm.shift), LayerNorm(6), (jnp.arange(1.0, 7.0), jnp.ones(6)))
    x = 0.1 * np.asarray(jr.normal(jr.key(0), (6,)), float)
    expected = (x - x.mean()) / np.sqrt(x.var() + 1e-3) * np.arange(1, 7) + 1
    np.testing.assert_allclose(norm(jnp.float32(x)), expected, rtol=1e-4)
    assert LayerNorm(6)(jnp.ones(6, jnp.bfloat16)).dtype == jnp.bfloat16
