"""VizDoom, with its three catches caught.

- It writes files into the folder where it starts: that is a temporary one, gone as soon as it has started.
- There is no picture of the end: it hands out black, and here the last one seen is given again.
- When the clock runs out it says both `terminated` and `truncated`: the clock wins, for the world went on.

An action lasts 4 tics unless `repeat` says otherwise. `VizdoomTakeCover-v1` is cut after 2100 tics, as in Ha and
Schmidhuber's World Models, arXiv 1803.10122; the other scenarios have clocks of their own.
"""

import contextlib
import os
import tempfile
from dataclasses import replace
from typing import Any

import gymnasium

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Env, World
from reverie.envs.make import gym_make, wrapped

REPEAT = 4
TICS = {"VizdoomTakeCover-v1": 2100}
PER_SECOND = 35


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    repeat = config.repeat or REPEAT
    tics = config.time_limit or TICS.get(name, 0)
    game = gym_make(name, replace(config, time_limit=-(-tics // repeat)), render, frame_skip=repeat)
    world = wrapped(Caught(game), replace(config, repeat=1), limited=True)
    return replace(world, repeat=repeat, labels={"action": _labels(game.unwrapped)})


class Caught(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Mends the three, see above."""

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self.game: Any = env.unwrapped
        self.game.game.set_doom_config_path(os.devnull)
        self.metadata = {**env.metadata, "render_fps": PER_SECOND}
        self.seen: dict[str, Any] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if self.game.game.is_running():
            self.seen, info = self.env.reset(seed=seed, options=options)
        else:
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                self.seen, info = self.env.reset(seed=seed, options=options)
        return self.seen, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self.game.state is not None:
            self.seen = observation
        timed_out = self.game.game.is_episode_timeout_reached()
        return self.seen, float(reward), terminated and not timed_out, truncated or timed_out, info

    def render(self) -> Any:
        screen = self.seen["screen"]
        return screen if screen.shape[2] == 3 else screen.repeat(3, axis=2)


def _labels(game: Any) -> tuple[str, ...]:
    """Which buttons each choice presses."""
    if not isinstance(game.action_space, gymnasium.spaces.Discrete):
        return ()
    names = [button.name.lower().replace("_", " ") for button in game.game.get_available_buttons()]
    pressed = [[name for name, down in zip(names, buttons, strict=False) if down] for buttons in game.button_map]
    return tuple(" + ".join(choice) or "nothing" for choice in pressed)
