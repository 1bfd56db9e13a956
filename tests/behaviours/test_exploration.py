"""Held actions: how long, how far, and when anew."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie.behaviours.controller import Obeyed
from reverie.behaviours.exploration import LONGEST, HeldPolicy
from reverie.types import ArraySpec

CAR = ArraySpec("continuous", (2,))
STEPS = 4000


def played(first):
    """The numbers of STEPS steps, and how long each hand was still to stay."""
    policy = HeldPolicy(Obeyed(CAR))

    def step(carry, row):
        is_first, key = row
        action, carry = policy.act(carry, {}, is_first, key=key)
        return carry, (action, carry.left)

    return jax.lax.scan(step, policy.initial(), (jnp.asarray(first), jr.split(jr.key(0), STEPS)))[1]


def test_numbers_are_uniform_and_held_for_one_to_ten_steps():
    actions, left = jax.device_get(played(np.arange(STEPS) == 0))
    anew = np.flatnonzero(np.any(actions[1:] != actions[:-1], axis=1)) + 1
    held = np.diff([0, *anew])
    assert set(held.tolist()) == set(range(1, LONGEST + 1)) == set((left + 1).tolist())
    np.testing.assert_allclose(held.mean(), 5.5, atol=0.4)
    drawn = actions[anew]
    assert -1 <= drawn.min() < -0.98
    assert 0.98 < drawn.max() <= 1
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [0, 1 / np.sqrt(3)], atol=0.05)


def test_another_episode_begins_with_another_hand():
    actions, left = jax.device_get(played(np.arange(STEPS) % 3 == 0))
    held_on = left[:-1] > 0
    begins = np.arange(1, STEPS) % 3 == 0
    assert np.any(actions[1:] != actions[:-1], axis=1)[held_on & begins].all()
    assert not np.any(actions[1:] != actions[:-1], axis=1)[held_on & ~begins].any()
