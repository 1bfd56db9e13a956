"""Classic control: what its numbers are called, and how a state that never was is drawn.

Every one of these simulators keeps its whole state in `env.unwrapped.state`; the observation says what it is.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Draw, Env, World
from reverie.envs.make import gym_make, wrapped
from reverie.envs.wrappers import picture_of

LABELS = {
    "CartPole": {
        "observation": ("position", "velocity", "angle", "angular velocity"),
        "action": ("left", "right"),
    },
    "Pendulum": {"observation": ("cos angle", "sin angle", "angular velocity"), "action": ("torque",)},
    "MountainCar": {"observation": ("position", "velocity"), "action": ("left", "coast", "right")},
    "MountainCarContinuous": {"observation": ("position", "velocity"), "action": ("push",)},
    "Acrobot": {
        "observation": ("cos 1", "sin 1", "cos 2", "sin 2", "angular velocity 1", "angular velocity 2"),
        "action": ("left", "none", "right"),
    },
}


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    """A classic control environment with its labels and its drawing hand."""
    world = wrapped(gym_make(name, config, render), config, limited=True)
    if config.pixels:
        return world
    return replace(world, labels=LABELS[name.rpartition("-v")[0]], draw=drawing(name))


def drawing(name: str) -> Draw:
    """A function from an observation to a picture; it uses a copy, so that no running episode is disturbed."""
    copies: list[Env] = []

    def draw(observation: dict[str, np.ndarray]) -> np.ndarray:
        if not copies:
            copies.append(gym_make(name, EnvironmentConfig(), render=True))
            copies[0].reset(seed=0)
        simulator: Any = copies[0].unwrapped
        numbers = np.asarray(observation["observation"], np.float64)
        simulator.state = _state(name.rpartition("-v")[0], numbers)
        simulator.last_u = None  # Pendulum draws its last torque
        return picture_of(copies[0])

    return draw


def _state(name: str, numbers: np.ndarray) -> np.ndarray:
    if name == "Pendulum":
        return np.array([np.arctan2(numbers[1], numbers[0]), numbers[2]])
    if name == "Acrobot":
        first, second = np.arctan2(numbers[1], numbers[0]), np.arctan2(numbers[3], numbers[2])
        return np.array([first, second, numbers[4], numbers[5]])
    return numbers
