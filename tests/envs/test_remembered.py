"""A world that was written down has the same conversions, clock and rate, and says why it cannot be played."""

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment, World
from reverie.envs.make import make
from reverie.envs.remembered import described, remembered
from reverie.errors import UserError

SPACES = {
    "box": (spaces.Box(-2.0, 3.0, (2,)), np.array([0.5, -1.0], np.float32)),
    "bounds": (spaces.Box(np.array([0.0, -1.0]), np.array([1.0, np.inf]), dtype=np.float64), np.array([0.2, 7.0])),
    "picture": (spaces.Box(0, 255, (80, 96, 3), np.uint8), np.full((80, 96, 3), 9, np.uint8)),
    "choice": (spaces.Discrete(4), 2),
    "choices": (spaces.MultiDiscrete([2, 5]), np.array([1, 4])),
    "switches": (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8)),
}


class Shown(gymnasium.Env[Any, Any]):
    def __init__(self, observation: Any, action: Any) -> None:
        self.observation_space, self.action_space = observation, action
        self.metadata = {"render_fps": 20, "labels": {"observation": ("left", "right")}}


def again(world: Environment, config: EnvironmentConfig) -> Environment:
    return remembered("Gone-v0", json.loads(json.dumps(described(world), allow_nan=False)), config, "pip install gone")


@pytest.mark.parametrize("seen", ["box", "bounds", "picture", "choice", "choices", "switches"])
@pytest.mark.parametrize("done", ["box", "choice", "choices"])
def test_the_conversions_are_the_same(seen: str, done: str) -> None:
    (observation, shown), (action, taken) = SPACES[seen], SPACES[done]
    config = EnvironmentConfig(size=64, rows=40)
    world = Environment("it", World(Shown(spaces.Dict({"a": observation, "b": spaces.Discrete(2)}), action)), config)
    other = again(world, config)
    assert other.spaces == world.spaces
    assert other.action_space == world.action_space
    native = {"a": shown, "b": 1}
    for name, values in world.observe(native).items():
        np.testing.assert_array_equal(other.observe(native)[name], values)
    np.testing.assert_array_equal(other.taken(taken), world.taken(taken))


def test_clock_rate_and_names() -> None:
    config = EnvironmentConfig(repeat=2, time_limit=90)
    world = make("CartPole-v1", config)
    other = again(world, config)
    assert (other.limit, other.fps, other.repeat) == (world.limit, world.fps, world.repeat) == (45, 25.0, 2)
    assert other.spaces == world.spaces, "with their labels"


def test_playing_says_why_not() -> None:
    other = again(make("CartPole-v1"), EnvironmentConfig())
    with pytest.raises(UserError, match="pip install gone") as caught:
        other.reset(0)
    assert caught.value.code == 78


def test_what_cannot_be_written_down() -> None:
    odd = Environment("it", World(Shown(spaces.Box(0, 1, (1,)), spaces.Discrete(2, start=1))), EnvironmentConfig())
    with pytest.raises(ValueError, match="cannot be written down"):
        described(odd)


@pytest.mark.parametrize("change", [{"action": {"kind": "Odd"}}, {"limit": None}, {"labels": 3}])
def test_what_makes_no_sense(change: dict[str, Any]) -> None:
    about = described(make("CartPole-v1")) | change
    with pytest.raises(UserError, match="Gone-v0 makes no sense") as caught:
        remembered("Gone-v0", about, EnvironmentConfig(), "")
    assert caught.value.code == 65
