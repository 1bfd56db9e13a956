"""What the tests of suites share: to be skipped with a clear line, and to compare episodes."""

import importlib.util

import numpy as np
import pytest

from reverie.envs.check import random_action
from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment
from reverie.envs.make import make
from reverie.types import Step


def needs(module: str, extra: str) -> pytest.MarkDecorator:
    """Skips unless a suite is installed."""
    missing = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(missing, reason=f'{module} is not installed: pip install ".[{extra}]"')


def play(world: Environment, seed: int, steps: int = 20) -> list[Step]:
    """The rows of an episode of random actions, which follow from the seed."""
    rng = np.random.default_rng(seed)
    rows = [world.reset(seed)]
    while len(rows) <= steps and not (rows[-1].terminated or rows[-1].truncated):
        rows.append(world.step(random_action(world.spaces.action, rng)))
    return rows


def assert_a_seed_decides(name: str, config: EnvironmentConfig | None = None, steps: int = 20) -> None:
    """The same seed gives the same episode in a new copy and in one that has played; another seed gives another."""
    world, twin = make(name, config), make(name, config)
    play(world, 1, steps)
    expected = play(world, 2, steps)
    np.testing.assert_equal(play(twin, 2, steps), expected)
    assert any(
        (a.observation[key] != b.observation[key]).any()
        for a, b in zip(play(world, 3, steps), expected, strict=False)
        for key in a.observation
    )
    world.close()
    twin.close()
