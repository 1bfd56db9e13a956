from dataclasses import replace

import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.methods.planet_config import SIZES, Config, options


def test_the_paper_s_numbers():
    """Sections 2.2 to 2.5 of the sheet."""
    paper = SIZES["paper"]
    assert paper == Config()
    assert (paper.rssm.stoch, paper.rssm.deter, paper.rssm.hidden, paper.depth, paper.units) == (30, 200, 200, 32, 300)
    assert (paper.batch, paper.length, paper.free_nats, paper.reward_scale) == (50, 50, 3.0, 10.0)
    assert (paper.learning_rate, paper.epsilon, paper.gradient_clip) == (1e-3, 1e-4, 1000.0)
    assert (paper.horizon, paper.noise, paper.overshooting) == (12, 0.3, 0)
    planner = paper.planner
    assert (planner.candidates, planner.elites, planner.iterations, planner.std) == (1000, 100, 10, 1.0)
    collected = paper.experience
    assert (collected.environments, collected.train_ratio, collected.updates_per_episode) == (1, 0.0, 100)


@pytest.mark.parametrize(
    ("environment", "asked", "expected"),
    [
        ("dm_control/cartpole-swingup", 0, 8),
        ("dm_control/walker-walk", 0, 2),
        ("dm_control/walker-walk", 5, 5),
        ("Pendulum-v1", 0, 0),
    ],
)
def test_the_repeat_is_the_task_s_where_no_other_is_asked_for(environment, asked, expected):
    assert options(environment, EnvironmentConfig(repeat=asked), Config()).repeat == expected
    assert options(environment, EnvironmentConfig(repeat=asked), replace(Config(), repeat=3)).repeat == (asked or 3)


def test_impossible_configs():
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        replace(Config(), batch=0)
