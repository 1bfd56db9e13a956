"""Box2D's worlds: an episode follows from its seed alone.

BipedalWalker and CarRacing keep one Box2D world for all episodes, and the order in which it finds contacts remembers
what was in it before. Here every episode gets a new one. CarRacing is drawn by `envs.racing`.
"""

import importlib
from dataclasses import replace
from typing import Any

import gymnasium

from reverie.envs import racing
from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import World
from reverie.envs.make import gym_make, wrapped

LANDER = ("nothing", "left engine", "main engine", "right engine")


def build(name: str, config: EnvironmentConfig, render: bool) -> World:
    env = Fresh(gym_make(name, config, render))
    if name.startswith("CarRacing-v"):
        return racing.painted(env, config)
    labels = {"action": LANDER} if name.startswith("LunarLander-v") else {}
    return replace(wrapped(env, config, limited=True), labels=labels)


class Fresh(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A new Box2D world at every reset."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        simulator: Any = self.env.unwrapped
        simulator._destroy()
        simulator.world = importlib.import_module("Box2D").b2World(gravity=simulator.world.gravity)
        return self.env.reset(seed=seed, options=options)
