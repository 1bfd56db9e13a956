"""Worlds that do exactly what a test needs, also in a worker: each can be found by its name."""

import os
import subprocess
import sys
import time
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.pool import episode_seed

LENGTH = 4
FIRST_SEED = episode_seed(0, 0, 0)
"""The seed of the first episode of the first environment of a pool with seed 0."""


class Counter(gymnasium.Env[np.ndarray, np.int64]):
    """Shows (seed modulo 1000, actions so far, last action); pays the number of actions so far; ends after `LENGTH`."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)
    truncates = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seed, self.time = seed or 0, 0
        return np.array([self.seed % 1000, 0, 0], np.float64), {}

    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.time += 1
        self.trouble()
        observation = np.array([self.seed % 1000, self.time, action], np.float64)
        over = self.time == LENGTH
        return observation, float(self.time), over and not self.truncates, over and self.truncates, {}

    def trouble(self) -> None:
        """Nothing, in a good world."""


class Truncating(Counter):
    truncates = True


class RaisesOnce(Counter):
    """Raises at the second step of the first episode of the first environment."""

    def trouble(self) -> None:
        if self.seed == FIRST_SEED and self.time == 2:
            raise RuntimeError("the gears are jammed")


class RaisesAndIsLate(RaisesOnce):
    """And begins the episode after that late."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed == episode_seed(0, 0, 1):
            time.sleep(2)
        return super().reset(seed=seed, options=options)


class RaisesAndDies(Counter):
    """The second environment raises, dies when it begins anew, and then begins late."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed == episode_seed(0, 1, 1):
            os._exit(3)
        if seed == episode_seed(0, 1, 2):
            time.sleep(2)
        return super().reset(seed=seed, options=options)

    def trouble(self) -> None:
        if self.seed == episode_seed(0, 1, 0) and self.time == 2:
            raise RuntimeError("the gears are jammed")


class DiesOnce(Counter):
    def trouble(self) -> None:
        if self.seed == FIRST_SEED and self.time == 2:
            os._exit(3)


class HangsOnce(Counter):
    def trouble(self) -> None:
        if self.seed == FIRST_SEED and self.time == 2:
            time.sleep(60)


class SlowStep(Counter):
    """Its steps take 1 s in the episode of an even seed, else 0.6 s."""

    def trouble(self) -> None:
        time.sleep(0.6 if self.seed % 2 else 1.0)


class SlowToMake(Counter):
    seconds = 1.5

    def __init__(self) -> None:
        time.sleep(self.seconds)


class RaisesAlways(Counter):
    def trouble(self) -> None:
        raise RuntimeError("the gears are jammed")


class Unseeded(Counter):
    """Forgets its seed: an episode cannot be played again."""

    made = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        type(self).made += 1
        return super().reset(seed=type(self).made)


class NotANumber(Counter):
    def step(self, action: np.int64) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, *rest = super().step(action)
        observation[1] = np.nan if self.time == 3 else observation[1]
        return observation, reward, *rest


class Shown(gymnasium.Env[Any, Any]):
    """A world of any spaces, where everything sampled is possible and nothing matters."""

    def __init__(self, observation: gymnasium.Space[Any], action: gymnasium.Space[Any] | None = None) -> None:
        self.observation_space = observation
        self.action_space = action or gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        return self.observation_space.sample(), 0.0, False, False, {}


def broken() -> Counter:
    raise RuntimeError("no such world")


def dies_at_birth() -> Counter:
    os._exit(4)


class Modules(Shown):
    """Has three actions where jax is loaded, else two."""

    def __init__(self) -> None:
        super().__init__(gymnasium.spaces.Discrete(2), gymnasium.spaces.Discrete(3 if "jax" in sys.modules else 2))


class Parent(Counter):
    """Starts a process of its own and shows its id."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        return np.array([child.pid, 0, 0], np.float64), {}
