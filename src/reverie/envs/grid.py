"""MiniGrid: the cells in view as choices, not as a picture.

Its `image` is no image: each cell holds the number of an object, of a colour and of a door's state. Numbers of kinds
have no order, so they become `cells`, three choices each, which reach a model one-hot. The mission, a sentence, is
dropped.
"""

from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import World
from reverie.envs.make import gym_make, wrapped

CELL = (11, 6, 4)
"""Objects, colours and states: three of a door or, where the agent sees itself, its four directions."""
ACTIONS = ("left", "right", "forward", "pick up", "drop", "toggle", "nothing")


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    env = gym_make(name, config, render)
    if config.pixels and config.size:
        simulator: Any = env.unwrapped
        simulator.tile_size = -(-config.size // max(simulator.width, simulator.height))  # no more than is shown
    world = wrapped(env, config, limited=True)
    labels: dict[str, tuple[str, ...]] = {"action": ACTIONS}
    if config.pixels:
        return World(world.env, repeat=world.repeat, labels=labels)
    return World(world.env, repeat=world.repeat, labels=labels, space=_space(world.env.observation_space), view=_cells)


def _space(native: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    assert isinstance(native, gymnasium.spaces.Dict)
    height, width, _ = native["image"].shape or (0, 0, 0)
    cells = gymnasium.spaces.MultiDiscrete(np.tile(CELL, height * width))
    rest = {name: space for name, space in native.items() if name != "image"}
    return gymnasium.spaces.Dict({"cells": cells, **rest})


def _cells(observation: dict[str, Any]) -> dict[str, Any]:
    rest = {name: entry for name, entry in observation.items() if name != "image"}
    return {"cells": np.reshape(observation["image"], -1), **rest}
