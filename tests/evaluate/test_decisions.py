"""What a decision costs and brings, with a clock of our own: the wall's is none of a test's business."""

import itertools
from dataclasses import replace

import jax.numpy as jnp
import pytest

from reverie.behaviours.planning_policy import planning
from reverie.envs.config import EnvironmentConfig
from reverie.evaluate.decisions import TIMED, decisions, milliseconds
from reverie.evaluate.returns import evaluate

OPTIONS = EnvironmentConfig(time_limit=20)


def ticking(*spans: float):
    """Every second call is later by the next of these."""
    now, times = 0.0, []
    for span in spans:
        times += [now, now + span]
        now += span
    return iter(times).__next__


def test_milliseconds_are_the_median_after_the_compilation(gambler) -> None:
    spans = [99.0, *([0.002] * (TIMED // 2)), 0.003, *([5.0] * (TIMED // 2))]
    spent = milliseconds(gambler.policy, {"observation": jnp.zeros(2)}, clock=ticking(*spans))
    assert spent == pytest.approx(3.0)


def test_a_policy_of_its_own_imagines_nothing(balancer) -> None:
    row = decisions(balancer, "CartPole-v1", OPTIONS, name="policy", episodes=3, clock=itertools.count(0.0).__next__)
    assert (row.name, row.candidates, row.calls, row.milliseconds) == ("policy", 0, 0, 1000.0)
    assert row.returns == evaluate(balancer, "CartPole-v1", OPTIONS, episodes=3)


def test_a_planner_acts_in_the_world_and_its_steps_are_counted(balancer) -> None:
    """CartPole's own equations as the model, uprightness as the reward: it balances without having learned anything."""
    upright = balancer.heads | {"reward": lambda state: 1 - 10 * state[2] ** 2 - 0.1 * state[0] ** 2}
    trained = replace(balancer, heads=upright)
    policy = planning(trained, "icem", horizon=10, candidates=24, iterations=2, elites=6)
    row = decisions(
        replace(trained, policy=policy), "CartPole-v1", OPTIONS, name="icem", episodes=2,
        clock=itertools.count(0.0).__next__,
    )  # fmt: skip
    assert row.calls == 10 * (24 + 19 + 1)
    assert row.returns.returns == (20.0, 20.0)
    told = row.to_json()
    assert {"planner": "icem", "candidates": 24, "model_calls": 440, "milliseconds": 1000.0, "mean": 20.0}.items() <= (
        told.items()
    )
