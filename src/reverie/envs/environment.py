"""One environment in the model's terms: rows in, rows out, and nothing that is not a finite number passes.

Where an observation or a reward is not finite, `EnvironmentConfig.not_finite` decides; a wrong shape, dtype, choice or
flag is a broken promise and always an error.

`World` is what a suite builds; `Environment` is what everything else uses. Time is drawn in `reverie.types`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.leaves import NotFiniteError
from reverie.envs.spaces import Conversion
from reverie.envs.wrappers import Repeat, picture_of
from reverie.errors import UserError
from reverie.types import Step

Env = gymnasium.Env[Any, Any]
LARGEST = float(np.finfo(np.float32).max)
POLICIES = (
    "Mend the environment, or set environment.not_finite: truncate ends the episode there, "
    "sanitise puts the last finite value in its place (reward 0), error is this end of the run."
)
Draw = Callable[[dict[str, np.ndarray]], np.ndarray | None]


@dataclass(frozen=True)
class World:
    """A suite's environment, wrapped, with what Gymnasium has no word for."""

    env: Env
    repeat: int = 1
    """Simulator steps that one `env.step` makes."""
    space: gymnasium.Space[Any] | None = None
    """The observation space after `view`; None: the environment's own."""
    view: Callable[[Any], Any] | None = None
    """A function of one native observation alone (so that a caller's own loop can use it too)."""
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of an observation's elements, and of the choices under `action`."""
    draw: Draw | None = None
    """A picture of a state that never was."""


class Environment:
    """What `envs.make` gives: a world that speaks in `Step` rows.

    Args:
        name: what it is called in messages.
        world: the environment with its suite's knowledge.
        config: sizes of images, and what happens to values that are not finite.
    """

    def __init__(self, name: str, world: World, config: EnvironmentConfig) -> None:
        env = world.env
        labels = {**env.metadata.get("labels", {}), **world.labels}
        space = world.space or env.observation_space
        self.id = name
        self.observation_space, self.labels = space, labels
        """Of the environment's form, and what its elements are called."""
        self._world, self._env = world, env
        shown = {"side": config.size, "gray": config.grayscale, "rows": config.rows}
        self._conversion = Conversion(space, env.action_space, labels=labels, **shown)
        self.spaces = self._conversion.spaces
        self.dropped = self._conversion.dropped
        self.repeat = world.repeat
        self.fps = float(env.metadata.get("render_fps") or 30) / world.repeat
        self.mended = False
        """Whether the last row is another than the environment gave, since that was not finite."""
        self._policy = config.not_finite
        self._last: dict[str, np.ndarray] = {}
        self._steps = 0

    def reset(self, seed: int) -> Step:
        """The first row of the episode that belongs to this seed."""
        self._steps = 0
        self._last = {name: np.zeros(spec.shape, spec.dtype) for name, spec in self.spaces.observation.items()}
        answer = self._env.reset(seed=seed)
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise self._fault(f"reset() gave {type(answer).__name__}, not (observation, info)")
        return self._row(answer[0], 0.0, False, False, is_first=True)

    def step(self, action: np.ndarray) -> Step:
        """The row that an action in the model's form leads to."""
        native = self._conversion.act(action)
        self._steps += 1
        answer = self._env.step(native)
        if not (isinstance(answer, tuple) and len(answer) == 5):
            raise self._fault("step() did not give (observation, reward, terminated, truncated, info)")
        observation, reward, terminated, truncated, _ = answer
        return self._row(observation, reward, terminated, truncated, is_first=False)

    def render(self) -> np.ndarray:
        """The picture of now, uint8 (height, width, 3); needs `make(..., render=True)`."""
        return picture_of(self._env)

    def draw(self, observation: dict[str, np.ndarray]) -> np.ndarray | None:
        """A picture of a state given as an observation in the model's form; None where the suite cannot."""
        return self._world.draw(observation) if self._world.draw else None

    def observe(self, native: Any, last: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The model's form of an observation that the environment gives; `last` lends what is not finite in it."""
        return self._conversion.observe(self._world.view(native) if self._world.view else native, last)

    def act(self, action: np.ndarray) -> Any:
        """The environment's form of an action."""
        return self._conversion.act(action)

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """Of the environment's form."""
        return self._env.action_space

    def taken(self, native: Any) -> np.ndarray:
        """The model's form of an action of the environment; the inverse of `act`."""
        return self._conversion.action(native)

    @property
    def limit(self) -> int:
        """Actions after which the clock cuts an episode; 0: never, or nobody says."""
        try:
            simulated = int(self._env.get_wrapper_attr("_max_episode_steps"))
        except (AttributeError, TypeError):
            simulated = 0
        inner, repeat = self._env, 1
        while isinstance(inner, gymnasium.Wrapper):
            repeat *= inner.times if isinstance(inner, Repeat) else 1
            inner = inner.env
        return -(-simulated // repeat)

    def action(self, native: Any) -> np.ndarray:
        """The model's form of an action that the environment takes."""
        return self._conversion.action(native)

    def close(self) -> None:
        self._env.close()

    def _row(self, native: Any, reward: Any, terminated: Any, truncated: Any, *, is_first: bool) -> Step:
        flags = [self._flag("terminated", terminated), self._flag("truncated", truncated), np.bool_(is_first)]
        try:
            row = self._finite(native, reward, flags)
        except NotFiniteError as error:
            raise self._fault(str(error), POLICIES) from error
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise self._fault(str(error)) from error
        if self._policy != "error":
            self._last = {name: array.copy() for name, array in row.observation.items()}
        return row

    def _finite(self, native: Any, reward: Any, flags: list[np.bool_]) -> Step:
        """The row as it is, if it is finite; else what the policy makes of it."""
        self.mended = False
        try:
            return Step(self.observe(native), _number(reward), *flags)
        except NotFiniteError as error:
            if self._policy == "error":
                raise
            self.mended, is_first = True, flags[2]
            if self._policy == "sanitise":
                return Step(self.observe(native, self._last), _number(reward, instead=np.float32(0)), *flags)
            if is_first:
                raise RuntimeError(f"{self.id}: an episode cannot end before its first row: {error}") from error
            return Step(self._last, np.float32(0), np.bool_(0), np.bool_(1), is_first)

    def _flag(self, name: str, value: Any) -> np.bool_:
        if isinstance(value, bool | np.bool_) or (np.ndim(value) == 0 and value in (0, 1)):
            return np.bool_(value)
        raise self._fault(f"{name} is {value!r}, neither true nor false")

    def _fault(self, what: str, remedy: str = "Mend the environment.") -> UserError:
        return UserError(f"{self.id}, step {self._steps} of the episode: {what}. {remedy}", code=70)


def _number(reward: Any, instead: np.float32 | None = None) -> np.float32:
    """The reward; `instead`, if given, takes the place of one that is not finite."""
    try:
        number = float(reward)
    except (TypeError, ValueError) as error:
        raise ValueError(f"reward is {reward!r}, not a number") from error
    if math.isfinite(number) and abs(number) <= LARGEST:
        return np.float32(number)
    if instead is None:
        raise NotFiniteError(f"reward is not finite: {number}")
    return instead
