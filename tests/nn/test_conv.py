"""The stages are the same functions as their plain forms: values, gradients, borders, odd sizes, ties."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.nn.conv import REWRITE_POOL_UP_TO, Conv, conv_pool, max_pool, up_conv, upsample

SIZES = [(8, 8), (7, 8), (5, 9), (2, 3)]


def plain(x, weight):
    """The library's own convolution, with the library's own derivative."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x[None], weight, (1, 1), "SAME", dimension_numbers=layout)[0]


def plain_pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (2, 2, 1), (2, 2, 1), "VALID")


def plain_conv_pool(x, weight):
    return plain_pool(plain(x, weight))


def plain_up_conv(x, weight):
    return plain(x.repeat(2, axis=0).repeat(2, axis=1), weight)


def inputs(height, width, *, kernel=5, seed=0):
    x_key, weight_key, cotangent_key = jr.split(jr.key(seed), 3)
    x = jr.normal(x_key, (height, width, 3))
    return x, jr.normal(weight_key, (kernel, kernel, 3, 4)), cotangent_key


@partial(jax.jit, static_argnums=0)
def value_and_gradients(function, x, weight, key):
    value, pull_back = jax.vjp(function, x, weight)
    return value, *pull_back(jr.normal(key, value.shape))


def assert_same(ours, theirs, tolerance=2e-6):
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(float(jnp.abs(b).max()), 1e-3))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize(("rewritten", "original"), [(conv_pool, plain_conv_pool), (up_conv, plain_up_conv)])
def test_a_rewrite_is_the_same_function_with_the_same_gradients(rewritten, original, height, width):
    x, weight, key = inputs(height, width)
    assert_same(value_and_gradients(rewritten, x, weight, key), value_and_gradients(original, x, weight, key))


@pytest.mark.parametrize("kernel", [3, 7])
@pytest.mark.parametrize(("rewritten", "original"), [(conv_pool, plain_conv_pool), (up_conv, plain_up_conv)])
def test_any_odd_kernel(rewritten, original, kernel):
    x, weight, key = inputs(6, 7, kernel=kernel)
    assert_same(value_and_gradients(rewritten, x, weight, key), value_and_gradients(original, x, weight, key))


@pytest.mark.parametrize(("rewritten", "original"), [(conv_pool, plain_conv_pool), (up_conv, plain_up_conv)])
def test_over_a_batch_in_a_compiled_gradient(rewritten, original):
    x, weight, _ = inputs(6, 6)
    batch = jnp.stack([x, 2 * x, x[::-1], -x])

    def loss(function, weight, batch):
        return jnp.sum(jnp.sin(jax.vmap(function, in_axes=(0, None))(batch, weight)))

    ours = jax.jit(jax.grad(lambda *a: loss(rewritten, *a), argnums=(0, 1)))(weight, batch)
    theirs = jax.grad(lambda *a: loss(original, *a), argnums=(0, 1))(weight, batch)
    assert_same(ours, theirs, tolerance=5e-6)


def test_upsampling_repeats_pixels_and_an_odd_last_row_is_not_pooled():
    x = jnp.arange(6.0).reshape(3, 2, 1)
    np.testing.assert_array_equal(upsample(x)[..., 0][:2], [[0, 0, 1, 1], [0, 0, 1, 1]])
    np.testing.assert_array_equal(max_pool(x)[..., 0], [[3]])


def test_of_equal_pixels_the_first_takes_the_gradient_as_in_a_pool():
    x = jr.randint(jr.key(0), (8, 8, 5), 0, 3).astype(jnp.float32)  # nearly every block has ties
    ours, theirs = (jax.grad(lambda x, p=pool: jnp.sum(jnp.exp(p(x))))(x) for pool in (max_pool, plain_pool))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("place", range(4))
def test_a_pool_does_not_hide_a_nan(place):
    x = jnp.ones(4).at[place].set(jnp.nan).reshape(2, 2, 1)
    assert jnp.isnan(max_pool(x)).all()


@pytest.mark.parametrize("channels", [REWRITE_POOL_UP_TO, REWRITE_POOL_UP_TO + 1])
def test_a_layer_is_the_plain_form_plus_its_bias_on_both_sides_of_the_choice(channels):
    layer = Conv(channels, 4, key=jr.key(1))
    object.__setattr__(layer, "bias", jnp.arange(4.0))  # a test may: the layer is its own
    x = jr.normal(jr.key(2), (6, 6, channels))
    y = plain(x, layer.weight) + layer.bias[None, None]
    np.testing.assert_allclose(layer(x), y, atol=2e-5)
    np.testing.assert_allclose(layer.pooled(x), plain_pool(y), atol=2e-5)
    np.testing.assert_allclose(layer.upsampled(x), plain_up_conv(x, layer.weight) + layer.bias[None, None], atol=2e-5)


@pytest.mark.parametrize("stage", ["__call__", "pooled", "upsampled"])
def test_a_layer_computes_in_the_dtype_of_its_input_and_learns_in_float32(stage):
    layer = Conv(3, 4, key=jr.key(1))
    x = jr.normal(jr.key(2), (6, 6, 3), jnp.bfloat16)
    y = getattr(layer, stage)(x)
    gradient = jax.grad(lambda layer: getattr(layer, stage)(x).astype(jnp.float32).sum())(layer)
    exact = getattr(layer, stage)(x.astype(jnp.float32))
    assert y.dtype == jnp.bfloat16
    assert gradient.weight.dtype == jnp.float32
    np.testing.assert_allclose(y.astype(jnp.float32), exact, atol=0.05)


def test_initial_weights_have_the_variance_of_the_fan_in_and_are_cut_at_two_deviations():
    weight = Conv(8, 64, scale=0.5, key=jr.key(0)).weight
    assert weight.shape == (5, 5, 8, 64)
    np.testing.assert_allclose(weight.std() * (25 * 8) ** 0.5, 0.5, rtol=0.02)
    assert jnp.abs(weight).max() <= 0.5 * 2 * 1.1368 / (25 * 8) ** 0.5 + 1e-6
    assert not Conv(8, 4, scale=0.0, key=jr.key(0)).weight.any()


def test_an_even_kernel_has_no_centre():
    with pytest.raises(ValueError, match="size 4 has no centre"):
        Conv(3, 4, size=4, key=jr.key(0))
