"""The convolution primitive against the library's own: values, derivatives of all orders, every way to batch it."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.nn import bilinear
from reverie.nn.bilinear import convolve, correlate, transposed


def plain(x, weight):
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=layout)


def plain_gradient(x, g, size):
    return jax.vjp(partial(plain, x), jnp.zeros((size, size, x.shape[-1], g.shape[-1])))[1](g)[0]


def images(batch, channels, seed=0):
    return jr.normal(jr.key(seed), (batch, 5, 4, channels))


def kernel(inputs, outputs, size=3):
    return jr.normal(jr.key(9), (size, size, inputs, outputs))


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * float(jnp.abs(theirs).max()))


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 5), (5, 2), (3, 3)])
def test_the_derivative_by_the_kernel(inputs, outputs, size):
    x, g = images(6, inputs), images(6, outputs, seed=1)
    assert_close(correlate(x, g, size=size), plain_gradient(x, g, size))


@pytest.mark.parametrize("batch", [1, 6, 7])
def test_it_does_not_depend_on_the_slices(batch, monkeypatch):
    x, g = images(batch, 2), images(batch, 3, seed=1)
    for limit in (1, 2 * 9 * 5 * 4 * 2 * 4, 2**30):  # one image at a time, two, all
        monkeypatch.setattr(bilinear, "PATCHES", limit)
        assert_close(bilinear._correlate_in_slices(x, g, size=3), plain_gradient(x, g, 3))


def test_derivatives_of_second_order_in_both_arguments_forwards_over_backwards():
    at, along = (images(2, 2), kernel(2, 3)), (images(2, 2, seed=1), kernel(2, 3)[::-1])

    def bend(function, x, weight):
        gradient = jax.grad(lambda x, weight: jnp.sum(jnp.sin(function(x, weight))), argnums=(0, 1))
        return jax.jvp(gradient, at, along)[1]

    jax.tree.map(assert_close, *(jax.jit(partial(bend, function))(*at) for function in (convolve, plain)))


def test_the_derivative_by_the_images_is_a_convolution_again():
    x, weight, g = images(2, 2), kernel(2, 3), images(2, 3, seed=1)
    assert_close(convolve(g, transposed(weight)), jax.vjp(lambda x: plain(x, weight), x)[1](g)[0])


def test_a_batch_of_images_becomes_one_convolution_and_one_gradient():
    def loss(weight, x):
        single = lambda image: convolve(image[None], weight)[0]
        return jnp.sum(jax.vmap(jax.vmap(single))(x) ** 2)

    x, weight = images(6, 2).reshape(2, 3, 5, 4, 2), kernel(2, 3)
    program = str(jax.make_jaxpr(jax.grad(loss))(weight, x))
    assert program.count("= convolve") == 1
    assert program.count("= correlate") == 1
    theirs = jax.grad(lambda weight: jnp.sum(plain(x.reshape(6, 5, 4, 2), weight) ** 2))(weight)
    assert_close(jax.grad(loss)(weight, x), theirs)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, None)])
def test_every_way_to_batch_it(axes):
    batched = (jr.normal(jr.key(0), (3, 3, 5, 4, 2)), jr.normal(jr.key(1), (3, 3, 3, 2, 4)))
    operands = [y if axis is not None else y[0] for y, axis in zip(batched, axes, strict=True)]
    gradient = lambda f: jax.grad(lambda x, w: jnp.sum(jnp.sin(f(x, w))), argnums=(0, 1))
    for ours, theirs in [(convolve, plain), (gradient(convolve), gradient(plain))]:
        got, want = (jax.vmap(f, in_axes=axes)(*operands) for f in (ours, theirs))
        jax.tree.map(assert_close, got, want)


def test_inside_a_loop_too():
    x, g = images(8, 2).reshape(2, 4, 5, 4, 2), images(8, 3, seed=1).reshape(2, 4, 5, 4, 3)

    def along(weight):
        return jnp.sum(
            jax.lax.scan(lambda total, row: (total + jnp.sum(convolve(row[0], weight) * row[1]), None), 0.0, (x, g))[0]
        )

    assert_close(
        jax.jit(jax.grad(along))(kernel(2, 3)), plain_gradient(x.reshape(8, 5, 4, 2), g.reshape(8, 5, 4, 3), 3)
    )


def test_a_gradient_in_half_precision_is_summed_in_single():
    x, g = jnp.ones((512, 5, 4, 1), jnp.bfloat16), jnp.ones((512, 5, 4, 1), jnp.bfloat16)
    gradient = bilinear._correlate_in_slices(x, g, size=1)
    assert gradient.dtype == jnp.bfloat16
    assert float(gradient.squeeze()) == 512 * 20  # 5 * 2^11: a sum in bfloat16 would have stopped at 256
