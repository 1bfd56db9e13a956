"""Worlds that break no promise, but are unlike the ones that one thinks of."""

import copy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

SPACES: dict[str, gymnasium.Space[Any]] = {
    "discrete": Discrete(5, start=-2),
    "choices": MultiDiscrete([[2, 3], [4, 5]]),
    "bits": MultiBinary(7),
    "one number": Box(-np.inf, np.inf, (), np.float64),
    "one pixel": Box(0, 255, (1, 1, 3), np.uint8),
    "large": Box(0, 255, (256, 256, 3), np.uint8),
    "unit picture": Box(0, 1, (8, 9, 3), np.float32),
    "double": Box(-10, 10, (3,), np.float64),
    "bytes": Box(0, 255, (128,), np.uint8),
    "half": Box(-1, 1, (2, 2), np.float16),
    "nested": Dict(a=Tuple((Discrete(2), Dict(b=Box(-1, 1, (2,))))), c=MultiBinary((2, 3))),
}


class Odd(gymnasium.Env[Any, Any]):
    """Shows samples of a space that its seed decides, and pays nothing.

    Args:
        space: a name in `SPACES`, or "all" of them together.
        length: actions of an episode; 0: it never ends.
    """

    action_space = MultiDiscrete([2, 3])

    def __init__(self, space: str, length: int) -> None:
        self.observation_space = copy.deepcopy(Dict(SPACES) if space == "all" else SPACES[space])  # each its own dice
        self.length, self.time = length, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.observation_space.seed(seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> tuple[Any, int, bool, bool, dict[str, Any]]:
        self.time += 1
        return self.observation_space.sample(), 0, self.time == self.length, False, {}
