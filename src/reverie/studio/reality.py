"""The world itself, beside its dream: stepped with the same actions, and brought back to any moment of the play.

A world is brought back by its seed and the actions since: it is reset and stepped again, without pictures. Where what
it shows then is not what it showed, it does not repeat itself, and that is said. Free of jax.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory, make
from reverie.errors import UserError
from reverie.studio.pictures import rgb
from reverie.types import Spaces, Step


class Real(NamedTuple):
    """What the world showed at a moment."""

    observation: dict[str, np.ndarray]
    reward: float
    over: bool


class Reality:
    """One world; `UserError` where it is not here.

    Args:
        environment, options: which, and how it is shown.
    """

    def __init__(self, environment: str | Factory, options: EnvironmentConfig) -> None:
        self._drawn = True
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of Gymnasium's, that it has no such picture
                self._world = make(environment, options, render=True)
        except UserError:
            raise
        except (gymnasium.error.Error, NotImplementedError, TypeError, ValueError):  # it draws nothing
            self._drawn, self._world = False, make(environment, options)
        self._seed, self._done = 0, list[np.ndarray]()
        self._row: Step | None = None

    @property
    def spaces(self) -> Spaces:
        return self._world.spaces

    def reset(self, seed: int) -> Real:
        """The beginning that belongs to a seed."""
        self._seed, self._done = seed, []
        return self._noted(self._world.reset(seed))

    def step(self, action: np.ndarray) -> Real:
        """After an action, in the model's form."""
        self._done.append(action)
        return self._noted(self._world.step(action))

    def bring(self, seed: int, actions: Sequence[np.ndarray], known: Real) -> None:
        """To where these actions lead from a seed; `UserError` if it looks otherwise there than it did."""
        done = self._done
        same = seed == self._seed and len(done) <= len(actions)
        same = same and all(np.array_equal(a, b) for a, b in zip(done, actions, strict=False))
        if not same:
            self.reset(seed)
        found = None
        for action in actions[len(self._done) :]:
            found = self.step(action)
        if found and any(not np.array_equal(found.observation[name], it) for name, it in known.observation.items()):
            raise UserError("this world does not repeat itself: after the same actions it looks otherwise.", code=70)

    def picture(self, real: Real, *, is_here: bool) -> np.ndarray | None:
        """Of a moment; None where none can be had without bringing the world there."""
        for name, spec in sorted(self.spaces.observation.items()):
            if spec.kind == "image":
                return rgb(real.observation[name])
        drawn = self._world.draw(real.observation)
        if drawn is not None or not self._drawn or not is_here:
            return drawn
        try:
            return self._world.render()
        except (UserError, NotImplementedError):
            self._drawn = False
            return None

    def close(self) -> None:
        self._world.close()

    def _noted(self, row: Step) -> Real:
        self._row = row
        observation = {name: np.array(value) for name, value in row.observation.items()}
        return Real(observation, float(row.reward), bool(row.terminated or row.truncated))
