"""Collecting experience: the policy acts on every environment in lockstep, and each row goes into the replay.

row  -> act(row) -> action, latents        the trainer's compiled policy; `latents` are stored with the row
row, action, latents -> replay             the action of an episode's last row is zero
action -> environments -> next row         pending until the policy has acted on it
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from reverie.data.replay import Replay
from reverie.envs.pool import Pool
from reverie.types import Step

Act = Callable[[Step], tuple[np.ndarray, dict[str, np.ndarray]]]
"""From a row [streams, ...] to the actions [streams, ...] and the latents to store with it."""


class Episode(NamedTuple):
    """An episode that has ended."""

    score: float
    """Sum of its rewards."""
    length: int
    """Its actions; simulator steps are `repeat` times more."""


class Collector:
    """Steps environments into a replay.

    Args:
        pool: the environments.
        replay: one stream per environment.
    """

    def __init__(self, pool: Pool, replay: Replay) -> None:
        self._pool, self._replay = pool, replay
        self._scores = np.zeros(pool.count, np.float64)
        self._lengths = np.zeros(pool.count, np.int64)
        self.steps = 0
        """Simulator steps so far; resets are not counted."""

    def step(self, act: Act) -> list[Episode]:
        """One step of every environment; the episodes that ended with it."""
        row = self._pool.step(None) if self._pool.last is None else self._pool.last
        action, latents = act(row)
        action = np.array(action)
        action[np.logical_or(row.terminated, row.truncated)] = 0
        self._replay.add(row, action, latents, self._pool.present)
        return self._count(self._pool.step(action))

    def state(self) -> dict[str, np.ndarray]:
        """What belongs to the checkpoint: the environments with their pending row, and the running scores."""
        state = {f"pool.{name}": values for name, values in self._pool.state().items()}
        return state | {"scores": self._scores, "lengths": self._lengths, "steps": np.array(self.steps, np.int64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> list[str]:
        """Go on from `state`; a sentence for each episode that could not be."""
        counted = [state.get(name, np.empty(0)) for name in ("scores", "lengths", "steps")]
        found = [(array.shape, array.dtype) for array in counted]
        if found != [((self._pool.count,), np.float64), ((self._pool.count,), np.int64), ((), np.int64)]:
            raise ValueError(f"Collector.restore: no scores of {self._pool.count} environments")
        pool = {name.removeprefix("pool."): values for name, values in state.items() if name.startswith("pool.")}
        self._scores, self._lengths = state["scores"].copy(), state["lengths"].copy()
        self.steps = int(state["steps"])
        return self._pool.restore(pool)

    def _count(self, row: Step) -> list[Episode]:
        """Add a new row to the running scores."""
        self.steps += int((~row.is_first).sum()) * self._pool.repeat
        self._scores = np.where(row.is_first, 0.0, self._scores) + row.reward
        self._lengths = np.where(row.is_first, 0, self._lengths + 1)
        ended = np.flatnonzero(np.logical_or(row.terminated, row.truncated) & self._pool.present)
        return [Episode(float(self._scores[slot]), int(self._lengths[slot])) for slot in ended]
