"""Gymnasium's MuJoCo worlds: pictures at the size they are asked for, without shadows, headless.

Software rendering spends nearly all its time on the shadow map; without it a 64x64 picture comes three times as fast.
Multisampling stays on, for thin parts vanish without it.
"""

import ctypes.util
import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Draw, Env, World
from reverie.envs.make import gym_make, wrapped
from reverie.envs.wrappers import picture_of
from reverie.errors import UserError

FILM = 240
"""Side of a picture that is for people."""
RENDERERS = {"egl": "EGL", "osmesa": "OSMesa"}
NOTHING = "disabled"


def renderer() -> str:
    """What MuJoCo renders with. To be called before it is imported, for then it looks for a window to draw in."""
    if sys.platform == "linux" and "MUJOCO_GL" not in os.environ:
        found = (name for name, library in RENDERERS.items() if ctypes.util.find_library(library))
        os.environ["MUJOCO_GL"] = next(found, NOTHING)
    return os.environ.get("MUJOCO_GL", "")


def headless(render: bool) -> None:
    """Makes ready for a machine without a screen; says what is missing if a picture is needed."""
    if renderer() == NOTHING and render:
        raise UserError(
            "MuJoCo has nothing to render with. Install EGL: apt-get install --no-install-recommends libegl1 "
            "libegl-mesa0 libgl1 libgl1-mesa-dri. Or observe the state: no pixels.",
            code=78,
        )


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    env: Any = _simulator(name, config, render)
    model = env.unwrapped.model
    motors = tuple(model.actuator(number).name for number in range(model.nu))
    world = replace(wrapped(env, config, limited=True), labels={"action": motors} if all(motors) else {})
    return world if config.pixels else replace(world, draw=_drawing(name, config))


def _simulator(name: str, config: EnvironmentConfig, render: bool) -> Env:
    headless(render)
    if not render:
        return gym_make(name, config, render=False)
    side = config.size if config.pixels and config.size else FILM
    camera = {"camera_id": config.camera} if config.camera else {}
    env = gym_make(name, config, render=True, width=side, height=side, **camera)
    simulator: Any = env.unwrapped
    simulator.model.vis.quality.shadowsize = 0
    return env


def _drawing(name: str, config: EnvironmentConfig) -> Draw:
    """Sets position and velocity from an observation that is made of them, but for the first positions."""
    copies: list[Env] = []

    def draw(observation: dict[str, np.ndarray]) -> np.ndarray | None:
        if renderer() == NOTHING:
            return None
        if not copies:
            copies.append(_simulator(name, config, render=True))
            copies[0].reset(seed=0)
        simulator: Any = copies[0].unwrapped
        places, speeds = simulator.model.nq, simulator.model.nv
        numbers = np.asarray(observation["observation"], np.float64)
        hidden = places + speeds - len(numbers)
        if not 0 <= hidden <= 2:
            return None
        places -= hidden
        simulator.set_state(np.concatenate([np.zeros(hidden), numbers[:places]]), numbers[places:])
        return picture_of(copies[0])

    return draw
