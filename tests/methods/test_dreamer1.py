"""Dreamer's own: its counts, and its returns and behaviour losses with the hand-computed numbers of the paper's sheet.

Elsewhere: what it shares with the other methods before DreamerV3 (`test_planet_and_later`), whether it learns
(`test_planet_and_later_toys`).
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from methods.lineage import METHODS, column, learner_of
from methods.small import BATCH, KEY, NUMBERS, TIME, VECTOR, stack_of

from reverie.behaviours.choosing import Explored
from reverie.methods import dreamer1
from reverie.rollout import over_time
from reverie.types import ArraySpec, Spaces

pytestmark = pytest.mark.usefixtures("hasty")
SMALL = METHODS["dreamer1"]
PAPER = Spaces({"image": ArraySpec("image", (64, 64, 3))}, ArraySpec("continuous", (6,)))


def test_parameter_counts_are_the_sheet_s():
    assert dreamer1.parameters(PAPER, dreamer1.Config()) == {
        "encoder": 690_144, "dynamics": 557_920, "decoder": 3_795_555, "reward": 253_201, "continue": 0,
        "actor": 578_412, "critic": 413_601,
    }  # fmt: skip


@pytest.fixture(scope="module")
def learner():
    return learner_of(SMALL, NUMBERS)


def behaviour(learner, config, survival=None):
    """Of one dream whose four states pay 1, 0, 2, 99 and are worth .5, 1, 1.5, 2."""
    where = lambda m: (m.reward, m.critic, m.continue_)
    heads = column(1, 0, 2, 99), column(0.5, 1, 1.5, 2), survival
    model = eqx.tree_at(where, learner.model, heads, is_leaf=lambda x: x is None)
    imagined = dreamer1.Imagined(jnp.eye(4)[None])
    return eqx.filter_jit(dreamer1.behaviour_losses)(model, imagined, config)[0]


def test_returns_and_losses_of_the_sheet(learner):
    """Section 7, item 3: each return begins with its own state's reward, and the last bootstraps from the value 2."""
    losses = behaviour(learner, replace(SMALL.config, discount=0.99))
    returns, weight = np.array([4.639802, 3.81744, 3.98]), np.array([1, 0.99, 0.99**2])
    np.testing.assert_allclose(losses["policy"][0], -weight * returns, rtol=1e-5)
    values = weight * 0.5 * (returns - np.array([0.5, 1, 1.5])) ** 2
    np.testing.assert_allclose(losses["value"][0], values, rtol=1e-5)


def test_where_worlds_end_the_chance_to_get_there_weighs(learner):
    """c = .9, .8, .5, .1: G_3 = 2 + .5 * 2, and so on backwards; weights 1, .9, .72."""
    going_on = np.array([0.9, 0.8, 0.5, 0.1])
    losses = behaviour(learner, SMALL.config, column(*jax.scipy.special.logit(going_on)))
    third = 2 + 0.5 * 2
    second = 0 + 0.8 * (0.05 * 1.5 + 0.95 * third)
    first = 1 + 0.9 * (0.05 * 1 + 0.95 * second)
    np.testing.assert_allclose(losses["policy"][0], [-first, -0.9 * second, -0.72 * third], rtol=1e-5)


def test_the_free_nats_are_of_each_step_before_the_mean(learner):
    batch = stack_of(NUMBERS)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    states = eqx.filter_jit(dreamer1.posterior)(learner.model, batch, key=KEY)
    prior = jax.jit(over_time(learner.model.world.prior_normal))(states.deter)
    q, p = (np.asarray(states.mean), np.asarray(states.std)), tuple(map(np.asarray, prior))
    divergence = (np.log(p[1] / q[1]) + (q[1] ** 2 + (q[0] - p[0]) ** 2) / (2 * p[1] ** 2) - 0.5).sum(-1)
    free = float(np.median(divergence))
    losses = eqx.filter_jit(dreamer1.world_model_losses)(
        learner.model, states, rows, replace(SMALL.config, free_nats=free)
    )
    np.testing.assert_allclose(losses["divergence"], np.maximum(0, divergence - free), rtol=1e-3, atol=1e-4)
    assert 0 < (divergence > free).sum() < divergence.size


@pytest.mark.parametrize("continue_scale", [0.0, 10.0])
def test_dreams_begin_everywhere_but_at_the_last_row_where_worlds_end(continue_scale):
    """And what is kept of them are the states after the first action."""
    small = SMALL._replace(config=replace(SMALL.config, continue_scale=continue_scale))
    learner = learner_of(small, NUMBERS)
    states = eqx.filter_jit(dreamer1.posterior)(learner.model, stack_of(NUMBERS), key=KEY)
    imagined = eqx.filter_jit(dreamer1.imagine)(learner.model, states, small.config, key=KEY)
    rows = TIME - bool(continue_scale)
    assert imagined.features.shape == (BATCH * rows, small.config.horizon, small.config.rssm.features)
    assert not np.isin(np.asarray(imagined.features[:, 0]), np.asarray(states.features)).any()


def test_the_actor_s_gradient_is_that_of_the_dynamics(learner):
    """A little more of every action's mean changes the return by the gradient's measure."""
    batch, config = stack_of(NUMBERS), replace(SMALL.config, horizon=3)
    states = eqx.filter_jit(dreamer1.posterior)(learner.model, batch, key=KEY)

    @eqx.filter_jit
    def loss(model):
        imagined = dreamer1.imagine(model, states, config, key=KEY)
        return dreamer1.behaviour_losses(model, imagined, config)[0]["policy"].mean()

    calm = eqx.tree_at(lambda m: m.actor.perceptron.out.weight, learner.model, replace_fn=lambda w: 0.1 * w)
    gradient = eqx.filter_jit(eqx.filter_grad(loss))(calm).actor.perceptron.out.bias
    step = 0.02 * gradient / jnp.linalg.norm(gradient)
    there, back = (
        loss(eqx.tree_at(lambda m: m.actor.perceptron.out.bias, calm, calm.actor.perceptron.out.bias + sign * step))
        for sign in (1, -1)
    )
    np.testing.assert_allclose((there - back) / 2, jnp.vdot(gradient, step), rtol=0.05)


@pytest.mark.parametrize(("updates", "expected"), [(0, 0.4), (50, 0.25), (100, 0.1), (1000, 0.1)])
def test_the_noise_fades(updates, expected):
    config = replace(SMALL.config, noise=0.4, last_noise=0.1, noise_updates=100)
    learner = eqx.tree_at(lambda le: le.updates, learner_of(SMALL, NUMBERS), jnp.asarray(updates, jnp.int32))
    choose = dreamer1.explorer(learner, config, random=False).chooser.choose
    assert isinstance(choose, Explored)
    np.testing.assert_allclose(choose.noise, expected, rtol=1e-6)


def test_a_choice_is_learned_through_too():
    """Straight-through: the policy loss has a gradient although actions are one-hot."""
    spaces = Spaces(VECTOR, ArraySpec("discrete", (1,), (3,)))
    learner, batch = learner_of(SMALL, spaces), stack_of(spaces)
    states = eqx.filter_jit(dreamer1.posterior)(learner.model, batch, key=KEY)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(model):
        imagined = dreamer1.imagine(model, states, SMALL.config, key=KEY)
        return dreamer1.behaviour_losses(model, imagined, SMALL.config)[0]["policy"].mean()

    assert all(leaf.any() for leaf in jax.tree.leaves(gradient(learner.model).actor))
