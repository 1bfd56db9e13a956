import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.behaviours.actor_critic import Actor
from reverie.behaviours.choosing import Sampled
from reverie.behaviours.filter_policy import FilterPolicy, Memory
from reverie.maths.distributions import action_vector
from reverie.models.observation import ObservationEncoder
from reverie.models.rssm import RSSM, RSSMConfig
from reverie.rollout import filter_step
from reverie.types import ArraySpec

CONFIG = RSSMConfig(deter=16, hidden=8, stoch=3, classes=4, blocks=4)
SPECS = {"vector": ArraySpec("vector", (5,))}
ACTIONS = {"choices": ArraySpec("discrete", (2,), (2, 3)), "numbers": ArraySpec("continuous", (2,))}
TIME = 5
SEEN = np.random.default_rng(0).normal(size=(TIME, 5)).astype(np.float32)
IS_FIRST = jnp.array([True, False, False, True, False])
KEYS = jr.split(jr.key(0), TIME)


@pytest.fixture(scope="module", params=ACTIONS)
def policy(request):
    spec = ACTIONS[request.param]
    encoder = random_parameters(ObservationEncoder, SPECS, units=6, depth=1, multipliers=(1,), dtype="float32")
    world = random_parameters(RSSM, encoder, spec.width, CONFIG)
    return FilterPolicy(world, Sampled(random_parameters(Actor, CONFIG.features, 8, spec, mix=0.01)), spec)


@eqx.filter_jit
def act(policy, carry, vector, is_first, key):
    return policy.act(carry, {"vector": vector}, is_first, key=key)


@pytest.fixture(scope="module")
def acted(policy):
    """Actions and memories of two short episodes."""
    carry, steps = policy.initial(), []
    for row in zip(jnp.asarray(SEEN), IS_FIRST, KEYS, strict=True):
        action, carry = act(policy, carry, *row)
        steps.append((action, carry))
    return steps


def same(ours, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)


def test_it_filters_with_its_own_last_action_and_acts_from_the_belief(policy, acted):
    spec, world = policy.spec, policy.world
    belief, previous = world.initial(), jnp.zeros(spec.width)
    for t, (action, memory) in enumerate(acted):
        belief_key, action_key = jr.split(KEYS[t])
        code = world.encode({"vector": jnp.asarray(SEEN[t])})
        belief = filter_step(world, belief, previous, code, IS_FIRST[t], key=belief_key)
        same(memory.belief, belief)
        same(action, policy.choose(belief, action_key)[0])
        previous = action_vector(spec, action)
        same(memory.action, previous)
        assert (action.shape, action.dtype) == (spec.shape, spec.dtype)


def test_it_chooses_in_a_dream_as_it_acts(policy, acted):
    choose = eqx.filter_jit(policy.choose)
    for key, (action, memory) in zip(KEYS, acted, strict=True):
        same(choose(memory.belief, jr.split(key)[1]), (action, memory.action))


def test_nothing_of_the_last_episode_is_remembered(policy, acted):
    garbage = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), policy.initial())
    same(act(policy, garbage, jnp.asarray(SEEN[3]), IS_FIRST[3], KEYS[3]), acted[3])


def test_within_an_episode_it_remembers(policy, acted):
    forgot = act(policy, policy.initial(), jnp.asarray(SEEN[2]), IS_FIRST[2], KEYS[2])[1]
    assert not np.allclose(forgot.belief.deter, acted[2][1].belief.deter)


def test_it_begins_with_nothing(policy):
    initial = policy.initial()
    assert isinstance(initial, Memory)
    assert initial.action.shape == (policy.spec.width,)
    assert not any(leaf.any() for leaf in jax.tree.leaves(initial))


def test_many_environments_are_as_many_policies(policy, acted):
    """Memories of all five moments side by side, each seeing the row after it."""
    carries = jax.tree.map(lambda *leaves: jnp.stack(leaves), policy.initial(), *[carry for _, carry in acted[:-1]])
    together = jax.jit(jax.vmap(lambda *row: act(policy, *row)))(carries, jnp.asarray(SEEN), IS_FIRST, KEYS)
    same(together, jax.tree.map(lambda *leaves: jnp.stack(leaves), *acted))


def test_latents_are_the_belief_s(acted):
    memory = acted[-1][1]
    np.testing.assert_array_equal(memory.latents["deter"], memory.belief.deter)
    np.testing.assert_array_equal(memory.latents["stoch"], np.argmax(memory.belief.stoch, -1))


def grainy(observation, *, key):
    """Noise on what is seen."""
    return {name: value + jr.normal(key, value.shape) for name, value in observation.items()}


def test_what_is_seen_goes_through_see_first(policy):
    """With a key of its own: neither the belief's nor the action's."""
    seeing = FilterPolicy(policy.world, policy.chooser, policy.spec, see=grainy)
    belief_key, action_key = jr.split(KEYS[0])
    see_key, belief_key = jr.split(belief_key)
    code = policy.world.encode(grainy({"vector": jnp.asarray(SEEN[0])}, key=see_key))
    belief = filter_step(
        policy.world, policy.world.initial(), jnp.zeros(policy.spec.width), code, IS_FIRST[0], key=belief_key
    )
    action, memory = act(seeing, seeing.initial(), jnp.asarray(SEEN[0]), IS_FIRST[0], KEYS[0])
    same(memory.belief, belief)
    same(action, policy.choose(belief, action_key)[0])
