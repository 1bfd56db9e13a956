"""Crafter: an open world to survive in; `crafter/reward` pays for achievements and health, `crafter/noreward` nothing.

Hafner, arXiv 2109.06780. 64x64 colour, 17 actions, 10,000 steps; death ends the world, the clock cuts the episode.
Deviates: the objects of a region are kept in an ordered set, for Crafter iterates over them, and Python's sets follow
memory addresses; without that the same seed gives different worlds. Pictures for people are the last observation: to
draw another would use up randomness at night.
"""

import collections
import importlib
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import World
from reverie.envs.make import wrapped
from reverie.errors import UserError

STEPS = 10_000
NAMES = {"crafter/reward": True, "crafter/noreward": False}
SIDE = 64


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    if name not in NAMES:
        raise UserError(f"There is no environment {name!r}. There are {' and '.join(NAMES)}.")
    env = Crafter(rewarded=NAMES[name], side=config.size or SIDE, steps=config.time_limit or STEPS)
    return wrapped(env, config, limited=True)


class OrderedSet(dict[Any, None]):
    """The part of a set that Crafter uses, in the order of insertion."""

    def add(self, item: Any) -> None:
        self[item] = None

    def remove(self, item: Any) -> None:
        del self[item]


def order(world: Any) -> None:
    """Makes one world's regions remember the order in which things came, from its next reset on."""
    plain = world.reset

    def reset(seed: int | None = None) -> None:
        plain(seed)
        world._chunks = collections.defaultdict(OrderedSet)

    world.reset = reset


class Crafter(gymnasium.Env[np.ndarray, Any]):
    """The game as a Gymnasium environment.

    Args:
        rewarded: whether it pays.
        side: of its pictures.
        steps: after so many an episode is cut.
    """

    def __init__(self, *, rewarded: bool, side: int, steps: int) -> None:
        library = importlib.import_module("crafter")
        self.game = library.Env(size=(side, side), reward=rewarded, length=steps, seed=0)
        order(self.game._world)
        names = self.game.action_names
        labels = {"action": tuple(name.replace("_", " ") for name in names)}
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 10, "labels": labels}
        self.render_mode = "rgb_array"
        self.observation_space = gymnasium.spaces.Box(0, 255, (side, side, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(names))
        self.picture = np.zeros((side, side, 3), np.uint8)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        if seed is not None:
            self.game._seed, self.game._episode = seed, 0
        self.picture = self.game.reset()
        return self.picture, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.picture, reward, over, info = self.game.step(int(action))
        dead = info["discount"] == 0
        return self.picture, float(reward), dead, bool(over) and not dead, {"achievements": info["achievements"]}

    def render(self) -> np.ndarray:
        return self.picture
