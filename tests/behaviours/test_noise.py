"""Shares and moments of many actions, each within five standard errors."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from behaviours.drawn import CHOICES, DRAWS, KEY, NUMBERS, SPECS, assert_fits, assert_share

from reverie.behaviours.noise import noisy, uniform


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


def test_anything_is_as_likely(spec):
    actions = np.asarray(jax.vmap(lambda key: uniform(spec, key=key))(jr.split(KEY, DRAWS)))
    assert_fits(spec, actions)
    bins = spec.classes if spec.kind == "discrete" else (10, 10)
    places = actions if spec.kind == "discrete" else np.floor((actions + 1) * 5).astype(int)
    table = np.zeros(bins)
    np.add.at(table, tuple(places.T), 1)
    for share in table.ravel() / DRAWS:
        assert_share(share, 1 / table.size)


def test_numbers_with_noise():
    """Normal, independent, and clipped: of the second, a third is beyond the end."""
    actions = np.asarray(
        jax.vmap(lambda key: noisy(NUMBERS, jnp.array([0.0, 0.9]), jnp.float32(0.2), key=key))(jr.split(KEY, DRAWS))
    )
    assert_fits(NUMBERS, actions)
    np.testing.assert_allclose(actions[:, 0].mean(), 0, atol=5 * 0.2 / np.sqrt(DRAWS))
    np.testing.assert_allclose(actions[:, 0].std(), 0.2, rtol=5 / np.sqrt(2 * DRAWS))
    assert_share((actions[:, 1] == 1).mean(), 0.308538)
    assert_share((actions[:, 1] < 0.9).mean(), 0.5)
    assert abs(np.corrcoef(actions.T)[0, 1]) < 5 / np.sqrt(DRAWS)


def test_choices_with_noise():
    """Each by itself is drawn anew with that probability, from all classes."""
    choose = lambda key: noisy(CHOICES, jnp.array([1, 2], jnp.int32), jnp.float32(0.4), key=key)
    actions = np.asarray(jax.vmap(choose)(jr.split(KEY, DRAWS)))
    assert_fits(CHOICES, actions)
    other = actions != np.array([1, 2])
    for found, expected in zip(other.mean(0), (0.2, 0.4 * 2 / 3), strict=True):
        assert_share(found, expected)
    assert_share((other[:, 0] & other[:, 1]).mean(), 0.2 * 0.4 * 2 / 3)
    assert_share((actions[:, 1] == 0).mean(), 0.4 / 3)


def test_no_noise_is_the_action_itself(spec):
    action = jnp.array([1, 2], jnp.int32) if spec.kind == "discrete" else jnp.array([-0.3, 1.0])
    np.testing.assert_array_equal(noisy(spec, action, jnp.zeros(()), key=KEY), action)
