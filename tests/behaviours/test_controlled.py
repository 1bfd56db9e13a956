"""V, M and C at work: what C reads, in which order, and with whose parameters."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.behaviours.controlled import WILDEST, ControlledPolicy, ErraticPolicy, seen
from reverie.behaviours.controller import Controller, Obeyed
from reverie.models.mdn_rnn import MDNRNN, Recurrent
from reverie.models.vae import SHAPE, VAE
from reverie.models.vision_memory import View, VisionMemory
from reverie.types import ArraySpec

KEY = jr.key(0)
LATENTS, UNITS = 2, 3
PAIR = ArraySpec("continuous", (2,))


@pytest.fixture(scope="module")
def policy():
    world = VisionMemory(
        VAE(LATENTS, depth=1, key=KEY), MDNRNN(LATENTS, 2, UNITS, ends=False, key=KEY), jnp.asarray(1.0)
    )
    controller = Controller.zero((LATENTS + UNITS, 2))
    return ControlledPolicy(world, controller, Obeyed(PAIR))


def frames(count):
    return {"observation": jnp.asarray(np.random.default_rng(0).integers(0, 256, (count, *SHAPE), dtype=np.uint8))}


def test_it_chooses_in_a_dream_as_it_acts(policy):
    policy = eqx.tree_at(lambda it: it.controller.parameters, policy, policy.controller.parameters + 0.5)
    picture = {name: pictures[0] for name, pictures in frames(1).items()}
    action, carry = eqx.filter_jit(policy.act)(policy.initial(), picture, jnp.asarray(True), key=KEY)
    chosen, vector = eqx.filter_jit(policy.choose)(carry.view, KEY)
    np.testing.assert_allclose(chosen, action, atol=1e-6)
    np.testing.assert_allclose(vector, carry.action, atol=1e-6)


def test_c_reads_as_much_as_it_has_inputs_for():
    no = jnp.zeros((), bool)
    view = View(
        jnp.asarray([1.0, 2]), Recurrent(jnp.asarray([3.0]), jnp.asarray([4.0])), no, no, jnp.zeros(()), jnp.zeros(())
    )
    assert seen(view, 2).tolist() == [1, 2]
    assert seen(view, 3).tolist() == [1, 2, 3]
    assert seen(view, 4).tolist() == [1, 2, 4, 3], "the cell before the output"


def test_it_acts_on_the_memory_of_what_was_before(policy):
    """By hand: encode, sample, act on (z_t, h_t); M takes in (z_t, a_t) only with the next frame."""
    weights = jr.normal(KEY, policy.controller.parameters.shape)
    policy = eqx.tree_at(lambda it: it.controller.parameters, policy, weights)
    carry, pictures, act = policy.initial(), frames(3), eqx.filter_jit(policy.act)
    h = jnp.zeros(UNITS)
    memory = policy.world.memory.initial()
    for now in range(3):
        observation = {name: picture[now] for name, picture in pictures.items()}
        action, carry = act(carry, observation, jnp.asarray(now == 0), key=jr.key(now))
        z = carry.view.z
        np.testing.assert_allclose(carry.view.memory.h, h, atol=1e-6)
        np.testing.assert_allclose(action, policy.controller(jnp.concatenate([z, h])), atol=1e-6)
        memory = policy.world.memory.advance(memory, z, action, jnp.asarray(now == 0))
        h = memory.h
    _, carry = act(carry, observation, jnp.asarray(True), key=KEY)
    assert not carry.view.memory.h.any(), "another episode begins with nothing"


def test_erratic_play_has_other_parameters_in_every_episode(policy):
    erratic, pictures = ErraticPolicy(policy), frames(1)
    act, carry, drawn = eqx.filter_jit(erratic.act), erratic.initial(), []
    observation = {name: picture[0] for name, picture in pictures.items()}
    for now in range(4):
        action, carry = act(carry, observation, jnp.asarray(now % 2 == 0), key=jr.key(now))
        drawn.append(carry.parameters)
        mine = eqx.tree_at(lambda it: it.parameters, policy.controller, carry.parameters)
        np.testing.assert_allclose(action, mine(seen(carry.memory.view, LATENTS + UNITS)), atol=1e-6)
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[2] == drawn[3]).all()
    assert (drawn[1] != drawn[2]).any()


def test_erratic_parameters_are_cauchys_of_a_scale_up_to_the_wildest(policy):
    """The median of a Cauchy's size is its scale, and scales are uniform."""
    erratic = ErraticPolicy(policy)
    observation = {name: picture[0] for name, picture in frames(1).items()}

    def parameters(key):
        return erratic.act(erratic.initial(), observation, jnp.asarray(True), key=key)[1].parameters

    drawn = eqx.filter_jit(jax.vmap(parameters))(jr.split(KEY, 500))
    scales = np.median(np.abs(drawn), axis=1)
    np.testing.assert_allclose(np.mean(scales), WILDEST / 2, rtol=0.2)
