"""An actor whose distributions are known: what is done with them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from behaviours.drawn import CHOICES, DRAWS, KEY, NUMBERS, SPECS, assert_fits, assert_share
from parameters import random_parameters

from reverie.behaviours.actor_critic import Actor
from reverie.behaviours.choosing import AtFirst, Explored, Mode, Sampled
from reverie.behaviours.plain_actor import PlainActor
from reverie.behaviours.planners import action_of
from reverie.maths.action_distributions import TanhNormal, TruncatedNormal


class Belief(eqx.Module):
    features: Any


BELIEF = Belief(jnp.array([0.3, -1.0, 2.0]))


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


def actor(spec, normal=TruncatedNormal):
    return random_parameters(PlainActor, 3, 4, 1, spec, normal=normal)


def many(choose, belief=BELIEF):
    return np.asarray(eqx.filter_jit(jax.vmap(lambda key: choose(belief, key=key)))(jr.split(KEY, DRAWS)))


def test_a_vector_stands_for_an_action():
    action = action_of(CHOICES, jnp.array([0.0, 1, 0, 0, 1]))
    assert (action.tolist(), action.dtype) == ([1, 2], jnp.int32)
    np.testing.assert_array_equal(action_of(NUMBERS, jnp.array([0.5, -1.0])), np.float32([0.5, -1.0]))


@pytest.mark.parametrize("normal", [TanhNormal, TruncatedNormal])
def test_the_mode_is_the_distribution_s(spec, normal):
    ours = actor(spec, normal)
    expected = action_of(spec, ours(BELIEF.features).mode(key=KEY))
    np.testing.assert_array_equal(Mode(ours)(BELIEF, key=KEY), expected)
    other = Mode(ours)(BELIEF, key=jr.key(1))
    assert np.array_equal(other, expected) == (spec.kind == "discrete" or normal is TruncatedNormal)


def test_explored_without_noise_are_samples(spec):
    ours = actor(spec)
    actions = many(Explored(ours, jnp.zeros(())))
    assert_fits(spec, actions)
    sampled = jax.vmap(lambda key: action_of(spec, ours(BELIEF.features).sample(key=key)))
    expected = np.asarray(jax.jit(sampled)(jr.split(jr.key(1), DRAWS)), float)
    spread = np.sqrt((actions.var(0) + expected.var(0)) / DRAWS)
    assert (np.abs(actions.mean(0) - expected.mean(0)) <= 5 * spread).all()
    assert (actions.std(0) > 0.1).all()


def test_explored_with_noise_is_the_sample_with_independent_noise(spec):
    """Of a sample that is known: 0.1 and -0.5, or 1 and 0."""
    sure = eqx.tree_at(lambda it: (it.perceptron.out.weight, it.perceptron.out.bias), actor(spec, TanhNormal), (
        jnp.zeros((4, spec.width if spec.kind == "discrete" else 4)),
        jnp.array([-50.0, 50, 50, -50, -50]) if spec.kind == "discrete" else jnp.arctanh(jnp.array([0.1, -0.5, 0, 0]))
        + jnp.array([0.0, 0.0, -99.0, -99.0]),
    ))  # fmt: skip
    actions = many(Explored(sure, jnp.float32(0.3)))
    assert_fits(spec, actions)
    if spec.kind == "discrete":
        for found, expected in zip((actions != np.array([1, 0])).mean(0), (0.15, 0.2), strict=True):
            assert_share(found, expected)
    else:
        mean = np.tanh(5 * np.tanh(np.arctanh([0.1, -0.5]) / 5))
        np.testing.assert_allclose(np.median(actions, axis=0), mean, atol=6 * 0.3 / np.sqrt(DRAWS))
        np.testing.assert_allclose(actions[:, 0].std(), 0.3, rtol=0.06)


def test_sampled_is_the_actor_s_sample(spec):
    ours = random_parameters(Actor, 3, 4, spec, mix=0.01)
    expected = ours(BELIEF.features).sample(key=KEY)
    np.testing.assert_array_equal(Sampled(ours)(BELIEF, key=KEY), expected)


def test_at_first_anything_then_what_is_chosen(spec):
    ours = actor(spec)
    chosen, at_first = (AtFirst(Mode(ours), spec, jnp.asarray(random)) for random in (False, True))
    np.testing.assert_array_equal(chosen(BELIEF, key=KEY), Mode(ours)(BELIEF, key=KEY))
    actions = many(at_first)
    assert_fits(spec, actions)
    assert len(np.unique(actions, axis=0)) == (6 if spec.kind == "discrete" else DRAWS)


def test_at_first_nothing_of_the_actor_is_used():
    lost = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), actor(NUMBERS))
    assert np.isfinite(AtFirst(Mode(lost), NUMBERS, jnp.asarray(True))(BELIEF, key=KEY)).all()


def test_the_same_key_is_the_same_action(spec):
    choose = AtFirst(Explored(actor(spec, TanhNormal), jnp.float32(0.3)), spec, jnp.asarray(False))
    np.testing.assert_array_equal(choose(BELIEF, key=KEY), choose(BELIEF, key=KEY))
