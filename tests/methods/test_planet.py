"""PlaNet's own: which rows overshooting compares, what is weighed how, what its planner does, and that it resumes."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from methods.small import KEY, NUMBERS, TIME, stack_of
from parameters import random_parameters

from reverie.behaviours.planner_config import CEMConfig
from reverie.envs.config import EnvironmentConfig
from reverie.methods import planet
from reverie.models.gaussian_rssm import GaussianRSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.run import Run
from reverie.types import ArraySpec, Spaces

pytestmark = pytest.mark.usefixtures("hasty")
CONFIG = planet.Config(
    rssm=GaussianRSSMConfig(deter=8, hidden=4, stoch=5), depth=2, units=4, batch=2, length=TIME, horizon=3,
    free_nats=0.0, planner=CEMConfig(candidates=6, elites=2, iterations=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return random_parameters(planet.build, NUMBERS, CONFIG)


def losses(model, config):
    return eqx.filter_jit(planet.total_loss)(model, stack_of(NUMBERS), config, KEY)[1]


def test_parts_are_counted():
    """The encoder and decoder of Dreamer 1's test; here 600 numbers fewer in a cell with one vector of biases."""
    spaces = Spaces({"image": ArraySpec("image", (64, 64, 3))}, ArraySpec("continuous", (6,)))
    counts = planet.parameters(spaces, planet.Config())
    assert (counts["encoder"], counts["dynamics"], counts["decoder"]) == (690_144, 557_320, 3_795_555)
    assert counts["reward"] == 230 * 300 + 300 + 2 * (300 * 300 + 300) + 301


def test_the_total_is_the_weighted_sum(model):
    said = losses(model, CONFIG)
    parts = said["loss/reconstruction/vector"] + 10 * said["loss/reward"] + said["loss/divergence"]
    np.testing.assert_allclose(said["loss"], parts, rtol=1e-5)


def test_without_noise_the_divergence_does_not_count():
    config = replace(CONFIG, rssm=replace(CONFIG.rssm, kind="rnn"))
    said = losses(random_parameters(planet.build, NUMBERS, config), config)
    np.testing.assert_allclose(said["loss"], said["loss/reconstruction/vector"] + 10 * said["loss/reward"], rtol=1e-5)


def test_overshooting_compares_only_rows_of_one_episode(model):
    """Of three rows the only pair two apart is (0, 2); in sequence 1 an episode begins at row 1 in between."""
    batch = stack_of(NUMBERS)
    states = eqx.filter_jit(planet.posterior)(model, batch, key=KEY)
    config = replace(CONFIG, overshooting=2)
    whole = eqx.filter_jit(planet.overshooting_loss)(model, states, batch, config, key=KEY)
    is_first = np.asarray(batch.sequence.is_first[:, 1:])
    assert is_first.sum() == 1
    broken = int(np.flatnonzero(is_first.any(1))[0])

    def changed(line):
        moved = states.mean.at[line, 2].add(1.0)
        return eqx.filter_jit(planet.overshooting_loss)(
            model, eqx.tree_at(lambda s: s.mean, states, moved), batch, config, key=KEY
        )

    assert changed(broken) == whole
    assert changed(1 - broken) != whole


def test_what_is_compared_gets_no_gradient(model):
    batch = stack_of(NUMBERS)
    states = eqx.filter_jit(planet.posterior)(model, batch, key=KEY)

    @eqx.filter_jit
    @jax.grad
    def gradient(mean):
        moved = eqx.tree_at(lambda s: s.mean, states, mean)
        return planet.overshooting_loss(model, moved, batch, replace(CONFIG, overshooting=2), key=KEY)

    assert not gradient(states.mean).any()


def test_it_acts_by_the_best_plan_that_it_finds(model):
    """A reward that is the first number of the guess itself: plans that raise it are chosen over those that do not."""
    policy = planet.policy(model, replace(CONFIG, planner=CEMConfig(candidates=64, elites=8, iterations=4)))
    carry = policy.initial()
    act = eqx.filter_jit(lambda carry, first, key: policy.act(carry, {"vector": jnp.zeros(3)}, first, key=key))
    action, after = act(carry, jnp.asarray(True), KEY)
    assert action.shape == NUMBERS.action.shape
    assert np.abs(action).max() <= 1
    np.testing.assert_array_equal(after.action, action)
    np.testing.assert_array_equal(act(carry, jnp.asarray(True), KEY)[0], action)
    assert not np.array_equal(act(carry, jnp.asarray(True), jr.key(9))[0], action)


class Impatient(Run):
    """A run that is asked to stop from the k-th look on."""

    looks = 10**9

    def due(self, what, step=None):
        if what != "checkpoint":
            return super().due(what, step)
        self.looks -= 1
        self.stop = int(self.looks <= 0)
        return bool(self.stop)


def test_a_run_that_is_left_between_updates_writes_the_same_lines(tmp_path):
    """With updates for every episode that ends, too."""
    experience = ExperienceConfig(
        environments=2, capacity=500, train_ratio=3.0, prefill=12, pretrain=2, updates_per_episode=2, gibibytes=1.0
    )
    config = replace(CONFIG, experience=experience)
    about = {"method": "planet", "environment": "CartPole-v1", "seed": 0, "steps": 50, "every": {"log": 7}}
    unbroken = Impatient.create(tmp_path / "unbroken", about)
    broken = Impatient.create(tmp_path / "broken", about)
    with unbroken:
        planet.train(unbroken, config, "CartPole-v1", EnvironmentConfig())
    stops = 0
    while True:
        broken.looks = 4 + stops
        with broken:
            planet.train(broken, config, "CartPole-v1", EnvironmentConfig())
        if not broken.stop:
            break
        stops += 1
    assert stops > 5
    lines = [[{**line, "seconds": 0} for line in run.metrics()] for run in (unbroken, broken)]
    assert sum("updates" in line for line in lines[0]) > 2
    assert lines[0] == lines[1]


def test_the_policy_of_every_step_is_the_same_program(model):
    """The policy is made anew in every turn: what it is made of must be told to be the same."""
    traced = []

    @eqx.filter_jit
    def act(policy):
        traced.append(policy)
        return policy.spec.width

    for noise in (0.3, 0.3):
        act(planet.policy(model, CONFIG, noise=noise))
    assert len(traced) == 1
