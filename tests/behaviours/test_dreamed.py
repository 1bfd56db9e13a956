"""Controllers in dreams: what a dream starts from, what it is worth, and when it ends."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.behaviours.controlled import ControlledPolicy
from reverie.behaviours.controller import Controller, Obeyed
from reverie.behaviours.dreamed import dreamed_returns, dreamed_scores
from reverie.models.mdn_rnn import MDNRNN, Recurrent
from reverie.models.vae import VAE
from reverie.models.vision_memory import VisionMemory
from reverie.types import ArraySpec

KEY = jr.key(0)
CERTAIN = -60.0
DIAL = ArraySpec("continuous", (1,))
LIMIT = 12


class Sum(MDNRNN):
    """A memory that adds up the actions; the dream ends when they exceed 5, and the next latent is what it was."""

    def __init__(self) -> None:
        super().__init__(1, 1, 1, ends=True, key=KEY)

    def advance(self, memory, z, action, restart):
        return Recurrent(memory.h + action + jnp.where(restart, 0.5, 0.0), z)


@pytest.fixture(scope="module")
def policy():
    memory = Sum()
    # The head on h: done = h - 5; every component certain, at 0.
    weight, bias = jnp.zeros((1, 16)).at[0, 0].set(1.0), jnp.zeros(16).at[0].set(-5.0).at[11:].set(CERTAIN)
    memory = eqx.tree_at(lambda it: (it.head.weight, it.head.bias), memory, (weight, bias))
    world = VisionMemory(VAE(1, depth=1, key=KEY), memory, jnp.asarray(1.0))
    return ControlledPolicy(world, Controller.zero((1, 1)), Obeyed(DIAL))


def test_a_dream_is_worth_its_steps_and_ends_where_the_memory_says_so(policy):
    """C = tanh(bias): h_n = 0.5 + n tanh(bias), and it ends at the first n with h_n > 5; a dream at rest is cut."""
    speeds = np.array([0.999, 0.9, 0.5, 0.0, -0.9])
    parameters = jnp.stack([jnp.arctanh(jnp.asarray(speeds, jnp.float32)), jnp.zeros(len(speeds))], axis=1)
    first = jnp.asarray([[0.3, CERTAIN]])
    totals, lengths = dreamed_returns(policy, parameters, first, limit=LIMIT, keys=jr.split(KEY, len(speeds)))
    expected = [next((n for n in range(1, LIMIT) if 0.5 + n * speed > 5), LIMIT) for speed in speeds]
    assert expected == [5, 6, 10, LIMIT, LIMIT]
    assert lengths.tolist() == expected
    assert totals.tolist() == expected


def test_the_same_key_is_the_same_dream(policy):
    """C = tanh(30 z), and it ends above 1.2: h = 0.5 + tanh(30 z_0) is where it began, a first frame with its blur."""
    policy = eqx.tree_at(lambda it: it.world.memory.head.bias, policy, policy.world.memory.head.bias.at[0].set(-1.2))
    parameters = jnp.tile(jnp.asarray([[0.0, 30.0]]), (60, 1))
    first = jnp.stack([jnp.linspace(-0.2, 0.2, 9), jnp.full(9, -3.0)], axis=1)
    half = jr.split(KEY, 30)
    keys = jax.random.wrap_key_data(jnp.concatenate([jr.key_data(half)] * 2))
    _, lengths = dreamed_returns(policy, parameters, first, limit=LIMIT, keys=keys)
    assert lengths[:30].tolist() == lengths[30:].tolist()
    assert set(lengths.tolist()) == {1, LIMIT}


def test_a_score_is_a_mean_over_dreams_whose_dice_have_a_number(policy):
    """As above: z_0 is drawn, and only candidates of one number begin alike."""
    policy = eqx.tree_at(lambda it: it.world.memory.head.bias, policy, policy.world.memory.head.bias.at[0].set(-1.2))
    first = jnp.stack([jnp.linspace(-0.2, 0.2, 9), jnp.full(9, -3.0)], axis=1)
    numbers = np.array([7, 8, 7, 8])
    parameters = np.tile([[0.0, 30.0]], (4, 1))
    scores = dreamed_scores(policy, first, LIMIT, KEY, parameters, numbers, 25)
    assert scores[0] == scores[2] != scores[1] == scores[3]
    keys = jr.split(jr.fold_in(KEY, 8), 25)
    totals, _ = dreamed_returns(
        policy, jnp.asarray(parameters[:1].repeat(25, 0), jnp.float32), first, limit=LIMIT, keys=keys
    )
    np.testing.assert_allclose(scores[1], totals.mean(), rtol=1e-6)
