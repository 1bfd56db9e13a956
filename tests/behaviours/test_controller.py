"""C: the paper's counts, the flat order, and what its numbers mean, worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reverie.behaviours.controller import Controller, Obeyed
from reverie.maths.distributions import action_vector
from reverie.types import ArraySpec

CAR = ArraySpec("continuous", (3,))
DOOM = ArraySpec("discrete", (1,), (3,))
ORDER = (2, 0, 1)
"""Doom's choices from left to right: 2 is left, 0 is nothing, 1 is right."""


@pytest.mark.parametrize(
    ("widths", "bias", "parameters"),
    [((288, 3), True, 867), ((1088, 1), False, 1088), ((32, 3), True, 99), ((32, 40, 3), True, 1443)],
)
def test_parameters_of_the_paper(widths, bias, parameters):
    assert Controller.zero(widths, bias=bias).parameters.shape == (parameters,)


def test_biases_come_first_then_the_matrix():
    flat, x = jnp.asarray([0.1, 0.2, 1, 2, 3, 4, 5, 6.0]), jnp.asarray([0.1, 0.0, -0.1])
    y = Controller(flat, (3, 2))(x)
    np.testing.assert_allclose(y, np.tanh([0.1 + 0.1 - 0.3, 0.2 + 0.4 - 0.6]), rtol=1e-5, atol=1e-7)
    y = Controller(flat[2:], (3, 2), bias=False)(x)
    np.testing.assert_allclose(y, np.tanh([-0.2, -0.2]), rtol=1e-5)


def test_a_hidden_layer_is_a_layer_more():
    flat = jnp.asarray([0.5, 2.0, -0.25, 3.0])
    y = Controller(flat, (1, 1, 1))(jnp.asarray([0.1]))
    np.testing.assert_allclose(y, [np.tanh(-0.25 + 3 * np.tanh(0.5 + 0.2))], rtol=1e-5)


def test_thirds_of_the_way_are_choices():
    y = jnp.asarray([-1, -0.34, -0.33, 0, 0.33, 0.34, 1])
    chosen = jax.vmap(lambda y: Obeyed(DOOM, ORDER)(y[None]))(y)[:, 0]
    assert chosen.tolist() == [2, 2, 0, 0, 0, 1, 1]
    assert chosen.dtype == jnp.int32
    assert jax.vmap(lambda y: Obeyed(DOOM)(y[None]))(y)[:, 0].tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_several_choices_each_have_their_own_way():
    spec = ArraySpec("discrete", (2,), (2, 4))
    assert Obeyed(spec).outputs == 2
    assert Obeyed(spec)(jnp.asarray([-0.1, 0.1])).tolist() == [0, 2]
    assert Obeyed(spec)(jnp.asarray([1.0, 1.0])).tolist() == [1, 3]


def test_numbers_are_themselves_and_the_brake_is_off_in_its_lower_half():
    """Model form, -1 to 1: gas (y + 1) / 2 of its range, the brake clip(y, 0, 1) of its own."""
    assert Obeyed(CAR).outputs == 3
    y = jnp.asarray([-0.5, 0.5, -0.5])
    np.testing.assert_allclose(Obeyed(CAR)(y), y)
    np.testing.assert_allclose(Obeyed(CAR, clipped=(2,))(y), [-0.5, 0.5, -1.0])
    np.testing.assert_allclose(Obeyed(CAR, clipped=(2,))(-y), [0.5, -0.5, 0.0])


def test_the_memory_reads_the_middle_of_a_choice():
    reads = Obeyed(DOOM, ORDER).dial()
    for choice, number in ((2, -2 / 3), (0, 0.0), (1, 2 / 3)):
        vector = action_vector(DOOM, jnp.asarray([choice]))
        np.testing.assert_allclose(vector @ reads, [number], atol=1e-6)
        assert Obeyed(DOOM, ORDER)(vector @ reads).tolist() == [choice]
    assert Obeyed(CAR).dial() is None


def test_the_memory_reads_every_choice():
    spec = ArraySpec("discrete", (2,), (2, 4))
    vector = action_vector(spec, jnp.asarray([1, 0]))
    np.testing.assert_allclose(vector @ Obeyed(spec).dial(), [0.5, -0.75])
