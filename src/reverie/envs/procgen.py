"""Procgen: sixteen games whose levels are drawn by chance; `procgen/coinrun`.

Cobbe et al., arXiv 1912.01588. 64x64 colour, 15 actions, hard, unlimited levels. No extra installs it, for its package
declares numpy < 2; docs/environments.md has the recipe (`procgen-mirror`, without its dependencies).

The games reset themselves and know no seed but that of their birth: an episode here is a game of its own, born with the
episode's seed, so that it can be played again. The picture at an end is already the first of a level nobody asked for:
the last one seen is given instead.
"""

import difflib
import importlib
import sys
import types
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import World
from reverie.envs.make import wrapped
from reverie.errors import UserError

GAMES = (
    *("bigfish", "bossfight", "caveflyer", "chaser", "climber", "coinrun", "dodgeball", "fruitbot", "heist", "jumper"),
    *("leaper", "maze", "miner", "ninja", "plunder", "starpilot"),
)
ACTIONS = 15
SIDE = 64


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    game = name.removeprefix("procgen/")
    if game not in GAMES:
        near = difflib.get_close_matches(game, GAMES, n=3, cutoff=0.3)
        raise UserError(f"There is no environment {name!r}. Nearest: {', '.join(f'procgen/{game}' for game in near)}.")
    return wrapped(Procgen(game), config, limited=False)


class Procgen(gymnasium.Env[np.ndarray, Any]):
    """One game as a Gymnasium environment."""

    def __init__(self, game: str) -> None:
        self.name, self.game, self.picture = game, None, np.zeros((SIDE, SIDE, 3), np.uint8)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
        self.render_mode = "rgb_array"
        self.observation_space = gymnasium.spaces.Box(0, 255, self.picture.shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(ACTIONS)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.close()
        born = seed if seed is not None else int(self.np_random.integers(2**31))
        self.game = _library().ProcgenGym3Env(num=1, env_name=self.name, rand_seed=born, distribution_mode="hard")
        self.picture = self.game.observe()[1]["rgb"][0]
        return self.picture, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert self.game is not None
        self.game.act(np.array([action], np.int32))
        reward, observation, first = self.game.observe()
        if not first[0]:
            self.picture = observation["rgb"][0]
        return self.picture, float(reward[0]), bool(first[0]), False, {}

    def render(self) -> np.ndarray:
        return self.picture

    def close(self) -> None:
        if self.game is not None:
            self.game.close()
            self.game = None


def _library() -> Any:
    """Procgen without the old gym: it registers its games there when it is imported, and needs nothing else of it."""
    names = ("gym", "gym.envs", "gym.envs.registration")
    for name in names:
        sys.modules.setdefault(name, types.ModuleType(name))
    vars(sys.modules[names[-1]]).setdefault("register", lambda **_: None)
    return importlib.import_module("procgen")
