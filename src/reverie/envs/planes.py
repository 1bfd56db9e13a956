"""MinAtar: five Atari games on a 10x10 board, each kind of object in a plane of its own.

Young and Tian, arXiv 1903.03176. `MinAtar/Breakout` and `-v1` have the actions that the game uses, `-v0` all six;
sticky actions 0.1 and growing difficulty, as published; no time limit unless one is set. Deviates: the action that may
stick is forgotten between episodes, so that an episode follows from its seed alone.
"""

import difflib
import importlib
import re
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import World
from reverie.envs.make import wrapped
from reverie.errors import UserError

GAMES = {"Asterix": "asterix", "Breakout": "breakout", "Freeway": "freeway", "Seaquest": "seaquest"}
GAMES |= {"SpaceInvaders": "space_invaders"}
ACTIONS = ("noop", "left", "up", "right", "down", "fire")
COLOURS = np.array(
    [
        *([0, 0, 0], [86, 180, 233], [230, 159, 0], [0, 158, 115], [240, 228, 66], [0, 114, 178]),
        *([213, 94, 0], [204, 121, 167], [160, 160, 160], [255, 255, 255], [120, 80, 200]),
    ],
    np.uint8,
)
"""The empty cell, then one per plane."""
ZOOM = 24


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    found = re.fullmatch(r"MinAtar/(\w+?)(-v[01])?", name)
    if not found or found[1] not in GAMES:
        near = difflib.get_close_matches(name, [f"MinAtar/{game}" for game in GAMES], n=3, cutoff=0.3)
        raise UserError(f"There is no environment {name!r}. Nearest: {', '.join(near)}.")
    env = Board(GAMES[found[1]], every_action=found[2] == "-v0")
    return wrapped(env, config, limited=False)


class Board(gymnasium.Env[np.ndarray, Any]):
    """One game."""

    def __init__(self, game: str, *, every_action: bool) -> None:
        self.game = importlib.import_module("minatar").Environment(game)
        self.actions = list(range(len(ACTIONS))) if every_action else list(self.game.minimal_action_set())
        labels = {"action": tuple(ACTIONS[action] for action in self.actions)}
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 15, "labels": labels}
        self.render_mode = "rgb_array"
        self.observation_space = gymnasium.spaces.MultiBinary(tuple(self.game.state_shape()))
        self.action_space = gymnasium.spaces.Discrete(len(self.actions))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.game.seed(seed)
        self.game.last_action = 0
        self.game.reset()
        return self.game.state(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, terminated = self.game.act(self.actions[action])
        return self.game.state(), float(reward), bool(terminated), False, {}

    def render(self) -> np.ndarray:
        planes = self.game.state()
        highest = np.max(planes * np.arange(1, planes.shape[2] + 1), axis=2)
        return COLOURS[highest].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
