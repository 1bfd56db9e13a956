"""Phases: where the taps of a kernel fall, seen from another resolution."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie.nn.phases import depth_to_space, pooled_kernel, space_to_depth, upsampled_kernel


def test_space_to_depth_puts_the_phases_of_a_block_side_by_side_and_back():
    x = jnp.arange(16.0).reshape(4, 4, 1)
    np.testing.assert_array_equal(space_to_depth(x)[0, 1], [2, 3, 6, 7])
    np.testing.assert_array_equal(space_to_depth(x)[1, 0], [8, 9, 12, 13])
    image = jr.normal(jr.key(0), (6, 4, 3))
    np.testing.assert_array_equal(depth_to_space(space_to_depth(image)), image)


def test_taps_of_an_upsampled_image_that_fall_on_the_same_pixel_are_summed():
    row = jnp.arange(1.0, 6.0)  # taps -2 ... 2 of a kernel that looks along one row only
    weight = jnp.zeros((5, 5, 1, 1)).at[2, :, 0, 0].set(row)
    kernel = upsampled_kernel(weight).reshape(3, 3, 2, 2)  # row, column, phase down, phase right
    np.testing.assert_array_equal(kernel[1, :, 0, 0], [1 + 2, 3 + 4, 5])
    np.testing.assert_array_equal(kernel[1, :, 0, 1], [1, 2 + 3, 4 + 5])
    np.testing.assert_array_equal(kernel[1, :, 1], kernel[1, :, 0])
    assert not kernel[jnp.array([0, 2])].any()


def test_taps_of_an_image_to_be_pooled_keep_their_own_phase():
    row = jnp.arange(1.0, 6.0)
    weight = jnp.zeros((5, 5, 1, 1)).at[2, :, 0, 0].set(row)
    kernel = pooled_kernel(weight).reshape(3, 3, 2, 2, 2, 2)  # row, column, phases in (down, right), phases out
    np.testing.assert_array_equal(kernel[1, :, 0, :, 0, 0], [[1, 2], [3, 4], [5, 0]])
    np.testing.assert_array_equal(kernel[1, :, 0, :, 0, 1], [[0, 1], [2, 3], [4, 5]])
    assert float(kernel.sum()) == 4 * 15


def test_the_low_resolution_kernel_is_as_wide_as_its_taps_reach():
    shapes = [(1, 1), (3, 3), (5, 3), (7, 5)]
    for size, low in shapes:
        weight = jnp.ones((size, size, 2, 3))
        assert upsampled_kernel(weight).shape == (low, low, 2, 12)
        assert pooled_kernel(weight).shape == (low, low, 8, 12)
