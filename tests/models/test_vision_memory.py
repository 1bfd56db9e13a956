"""V and M together: the order of operations, on numbers worked out by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie import rollout
from reverie.models.mdn_rnn import MDNRNN, Recurrent
from reverie.models.vae import SHAPE, VAE
from reverie.models.vision_memory import VisionMemory

KEY = jr.key(0)
CERTAIN = -60.0
"""A log-variance that leaves no noise."""


class Sum(MDNRNN):
    """A memory that adds up what it takes in, and expects the next latent to be that sum."""

    def __init__(self) -> None:
        super().__init__(1, 1, 1, ends=True, key=KEY)

    def advance(self, memory, z, action, restart):
        """h' = h + z + 10 a + 100 restart."""
        h = memory.h + z + 10 * action + jnp.where(restart, 100.0, 0.0)
        return Recurrent(h, memory.c)


@pytest.fixture(scope="module")
def model() -> VisionMemory:
    memory = Sum()
    # The head: no done, every component at h, without noise.
    weight, bias = jnp.zeros((1, 16)).at[:, 6:11].set(1.0), jnp.zeros(16).at[11:].set(CERTAIN).at[0].set(-5)
    memory = eqx.tree_at(lambda it: (it.head.weight, it.head.bias), memory, (weight, bias))
    return VisionMemory(VAE(1, key=KEY), memory, jnp.asarray(1.0))


def seen(*latents: float) -> jax.Array:
    return jnp.asarray([[z, CERTAIN] for z in latents])


def test_a_latent_is_paired_with_the_memory_of_what_was_before_it(model):
    """z = 1, 2, 3 with actions 1, 2 between: h = 0; 1 + 10 + 100 (the first); 111 + 2 + 20."""
    actions = jnp.asarray([[7.0], [1], [2]])  # the one before the first frame counts for nothing
    first = jnp.asarray([True, False, False])
    states = rollout.filter(model, model.initial(), actions, seen(1, 2, 3), first, key=KEY)
    np.testing.assert_allclose(states.z[:, 0], [1, 2, 3], atol=1e-5)
    np.testing.assert_allclose(states.memory.h[:, 0], [0, 111, 133], atol=1e-4)
    assert states.first.tolist() == [True, False, False]


def test_another_episode_begins_with_nothing(model):
    actions, first = jnp.asarray([[7.0], [1], [7], [1]]), jnp.asarray([True, False, True, False])
    states = rollout.filter(model, model.initial(), actions, seen(1, 2, 3, 4), first, key=KEY)
    np.testing.assert_allclose(states.memory.h[:, 0], [0, 111, 0, 113], atol=1e-4)
    assert states.first.tolist() == [True, False, True, False]


def test_a_dream_goes_on_from_what_was_seen(model):
    """From z = 1, h = 0: h' = 1 + 10 + 100 = 111 = z'; then h'' = 111 + 111 + 20 = z''."""
    start = rollout.filter(model, model.initial(), jnp.zeros((1, 1)), seen(1), jnp.asarray([True]), key=KEY)
    start = jax.tree.map(lambda leaf: leaf[0], start)
    dreamt = rollout.rollout(model, start, jnp.asarray([[1.0], [2]]), key=KEY)
    np.testing.assert_allclose(dreamt.memory.h[:, 0], [111, 242], rtol=1e-5)
    np.testing.assert_allclose(dreamt.z[:, 0], [111, 242], rtol=1e-5)
    assert dreamt.first.tolist() == [False, False]
    assert dreamt.done.tolist() == [-5, -5]


def test_a_choice_is_read_as_a_number(model):
    """Of two choices the second is 1/2: h' = 1 + 10 / 2 + 100."""
    dialled = eqx.tree_at(lambda it: it.dial, model, jnp.asarray([[-0.5], [0.5]]), is_leaf=lambda it: it is None)
    actions = jnp.asarray([[0.0, 0], [0, 1]])
    states = rollout.filter(dialled, model.initial(), actions, seen(1, 2), jnp.asarray([True, False]), key=KEY)
    np.testing.assert_allclose(states.memory.h[:, 0], [0, 106], atol=1e-4)


def test_the_temperature_is_the_model_s(model):
    loud = eqx.tree_at(lambda it: it.memory.head.bias, model, jnp.zeros(16))

    def spread(temperature):
        dreaming = eqx.tree_at(lambda it: it.temperature, loud, jnp.asarray(temperature))
        z = jax.vmap(lambda key: dreaming.imagine(model.initial(), jnp.zeros(1), key=key).z)(jr.split(KEY, 5_000))
        return float(z.std())

    assert spread(1.0) == pytest.approx(1, abs=0.05)
    assert spread(0.25) == pytest.approx(0.5, abs=0.05)


def test_frames_are_bytes(model):
    frame = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    encoded = eqx.filter_jit(model.encode)({"observation": jnp.asarray(frame)})
    mean, log_variance = eqx.filter_jit(model.vision.encode)(jnp.asarray(frame / 255, jnp.float32))
    np.testing.assert_allclose(encoded, jnp.concatenate([mean, log_variance]), rtol=1e-5, atol=1e-6)
    assert eqx.filter_jit(model.decode)(model.initial()).shape == SHAPE
