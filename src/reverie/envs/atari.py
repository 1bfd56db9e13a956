"""Atari by the papers' protocol, on the Arcade Learning Environment itself.

Hafner et al., DreamerV3, arXiv 2301.04104v2: an action lasts 4 frames; the picture is the elementwise maximum of the
last 2 (sprites flicker), resized by Pillow's bilinear filter and only then, if asked, gray; rewards are not clipped; a
lost life ends nothing; an episode begins with up to 30 idle frames. Time runs out after 108,000 frames, and that counts
as the end of the world (`terminated`), as in the authors' code.

    100k    64x64 colour, the game's own actions, no sticky actions (the defaults)
    200M    `EnvironmentConfig(size=96, grayscale=True, sticky=0.25, full_actions=True)`
"""

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Env, World
from reverie.envs.make import gym_make

REPEAT = 4
FRAMES = 108_000
NOOP = 0


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    """A game; `render` costs nothing here, the screen is always there."""
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # no banner
    game = gym_make(
        name,
        replace(config, time_limit=0),
        render,
        frameskip=1,
        repeat_action_probability=config.sticky,
        full_action_space=config.full_actions,
        max_num_frames_per_episode=0,
    )
    repeat = config.repeat or REPEAT
    env = Protocol(game, repeat=repeat, noops=config.noops, frames=config.time_limit or FRAMES)
    meanings: Any = game.unwrapped
    labels = tuple(name.lower() for name in meanings.get_action_meanings())
    observed = {"space": gymnasium.spaces.Dict(image=env.observation_space), "view": _named} if config.pixels else {}
    return World(env, repeat=repeat, labels={"action": labels}, **observed)


class Protocol(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Frames to steps.

    Args:
        env: the game, one frame a step.
        repeat: frames per action.
        noops: at most so many idle frames begin an episode.
        frames: after so many the episode is over.
    """

    def __init__(self, env: Env, *, repeat: int, noops: int, frames: int) -> None:
        super().__init__(env)
        self.metadata = {**env.metadata, "render_fps": 60}
        self.game: Any = env.unwrapped
        self.repeat, self.noops, self.frames = repeat, noops, frames
        self.frame = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        _, info = self.env.reset(seed=seed, options=options)
        for _ in range(int(self.game.np_random.integers(self.noops + 1))):
            self.game.ale.act(NOOP)
            if self.game.ale.game_over():
                self.game.ale.reset_game()
        self.frame = 0
        return self.game.ale.getScreenRGB(), info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        reward, screens, terminated = 0.0, [], False
        for frame in range(1, self.repeat + 1):
            reward += self.game.ale.act(self.game._action_set[action])
            self.frame += 1
            terminated = self.game.ale.game_over() or self.frame >= self.frames
            if terminated or frame >= self.repeat - 1:
                screens.append(self.game.ale.getScreenRGB())
            if terminated:
                break
        return np.max(screens, axis=0), reward, terminated, False, {}

    def render(self) -> np.ndarray:
        return self.game.ale.getScreenRGB()


def _named(screen: np.ndarray) -> dict[str, np.ndarray]:
    return {"image": screen}
