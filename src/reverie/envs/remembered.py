"""A world that is not here, as somebody who knew it wrote it down: its spaces, its clock and its rate.

Enough to act in dreams of it, and to say what an action means; not to be played. Written as JSON:

    {"observation": space, "action": space, "labels": {name: [...]}, "limit": 2100, "fps": 35.0, "repeat": 1}

A space is {"kind": "Box", "low", "high", "shape", "dtype"}, {"kind": "Discrete", "n"}, {"kind": "MultiDiscrete",
"nvec"}, {"kind": "MultiBinary", "n"} or {"kind": "Dict", "spaces"}; a bound is one number, or nested lists.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment, World
from reverie.errors import UserError


def described(world: Environment) -> dict[str, Any]:
    """What is written down; ValueError where a space is of another kind."""
    return {
        "observation": _written(world.observation_space),
        "action": _written(world.action_space),
        "labels": {name: list(labels) for name, labels in world.labels.items()},
        "limit": world.limit,
        "fps": world.fps,
        "repeat": world.repeat,
    }


def remembered(name: str, about: Mapping[str, Any], config: EnvironmentConfig, why: str) -> Environment:
    """The world called `name`; whoever plays it is told `why` it is not here."""
    try:
        labels = {str(part): tuple(map(str, names)) for part, names in about["labels"].items()}
        env = _Absent(_read(about["observation"]), _read(about["action"]), why)
        env.metadata = {"render_fps": float(about["fps"]) * int(about["repeat"])}
        env._max_episode_steps = int(about["limit"]) or None
        return Environment(name, World(env, int(about["repeat"]), labels=labels), config)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"what was written down of {name} makes no sense: {error!r}.", code=65) from error


class _Absent(gymnasium.Env[Any, Any]):
    """Has spaces, and cannot be played."""

    def __init__(self, observation: spaces.Space[Any], action: spaces.Space[Any], why: str) -> None:
        self.observation_space, self.action_space = observation, action
        self._max_episode_steps: int | None = None
        self._why = why

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        raise UserError(self._why, code=78)

    def step(self, action: Any) -> Any:
        raise UserError(self._why, code=78)


def _written(space: spaces.Space[Any]) -> dict[str, Any]:
    kind = type(space).__name__
    if isinstance(space, spaces.Box):
        low, high = (_bound(bound) for bound in (space.low, space.high))
        return {"kind": kind, "low": low, "high": high, "shape": list(space.shape), "dtype": str(space.dtype)}
    if isinstance(space, spaces.Discrete) and int(space.start) == 0:
        return {"kind": kind, "n": int(space.n)}
    if isinstance(space, spaces.MultiDiscrete) and not space.start.any():
        return {"kind": kind, "nvec": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": kind, "n": space.n if isinstance(space.n, int) else list(space.n)}
    if isinstance(space, spaces.Dict):
        return {"kind": kind, "spaces": {name: _written(inner) for name, inner in space.spaces.items()}}
    raise ValueError(f"a space of kind {kind} cannot be written down: {space}")


def _bound(values: np.ndarray) -> Any:
    """Infinity has no place in JSON: the largest number that the dtype has stands for it."""
    limits = np.finfo(values.dtype) if values.dtype.kind == "f" else np.iinfo(values.dtype)
    finite = np.clip(values, limits.min, limits.max)
    return finite.flat[0].item() if (finite == finite.flat[0]).all() else finite.tolist()


def _read(about: Mapping[str, Any]) -> spaces.Space[Any]:
    kind = about["kind"]
    if kind == "Box":
        dtype, shape = np.dtype(about["dtype"]), tuple(map(int, about["shape"]))
        low, high = (np.broadcast_to(np.asarray(about[name], dtype), shape) for name in ("low", "high"))
        return spaces.Box(low, high, shape, dtype.type)
    if kind == "Dict":
        return spaces.Dict({name: _read(inner) for name, inner in about["spaces"].items()})
    if kind == "Discrete":
        return spaces.Discrete(int(about["n"]))
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(about["nvec"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(about["n"])
    raise ValueError(f"there is no space of kind {kind!r}")
