"""Tiny run folders that keep experience, for tests of what reads it."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from reverie.data.replay import Replay
from reverie.run import checkpoints, manifest
from reverie.types import ArraySpec, Spaces, Step

STREAMS, EPISODE = 2, 5
SPACES = Spaces(
    {"pixels": ArraySpec("image", (4, 4, 3)), "state": ArraySpec("vector", (2,))}, ArraySpec("discrete", (1,), (3,))
)
NUMBERS = Spaces({"state": ArraySpec("vector", (2,))}, ArraySpec("continuous", (2,)))
"""A world without pictures, in which actions are numbers."""

Change = Callable[[int, Step, np.ndarray], None]
"""Of a time, the rows and their actions, before they are stored."""


def replay(spaces: Spaces = SPACES, capacity: int = 1000) -> Replay:
    return Replay(spaces, {}, streams=STREAMS, length=3, capacity=capacity, seed=0)


def fill(into: Replay, times: Iterable[int], change: Change | None = None, present: np.ndarray | None = None) -> Replay:
    """Row `time` of stream s shows time * STREAMS + s; episodes of EPISODE rows, each reward 1 but the first."""
    spaces = SPACES if into.rows(np.zeros(0, int)).action.dtype == np.int32 else NUMBERS
    for time in times:
        number = time * STREAMS + np.arange(STREAMS)
        shown = {
            name: np.broadcast_to(number.reshape(-1, *[1] * len(spec.shape)) % 256, (STREAMS, *spec.shape))
            for name, spec in spaces.observation.items()
        }
        observation = {name: values.astype(spaces.observation[name].dtype) for name, values in shown.items()}
        first, last = (np.full(STREAMS, time % EPISODE == place) for place in (0, EPISODE - 1))
        step = Step(observation, (~first).astype(np.float32), last, np.zeros(STREAMS, bool), first)
        action = np.repeat((number % 3)[:, None], spaces.action.shape[0], axis=1).astype(spaces.action.dtype)
        action[last] = 0
        if change:
            change(time, step, action)
        into.add(step, action, {}, present)
    return into


def kept(folder: Path, *, change: Change | None = None, spaces: Spaces = SPACES) -> Path:
    """A run of 30 times in three chunks of 20 rows: 6 whole episodes of each stream."""
    described(folder)
    stored = replay(spaces)
    for begin in range(0, 30, 10):
        fill(stored, range(begin, begin + 10), change).seal(folder / "replay")
    return saved(folder, stored)


def described(folder: Path, environments: object = STREAMS) -> Path:
    """A run folder with nothing but its manifest."""
    config = {"experience": {"environments": environments}}
    about = {"method": "m", "environment": "World-v0", "size": "s", "seed": 0, "config": config}
    manifest.write(folder, manifest.completed({**about, "steps": 100}))
    return folder


def saved(folder: Path, stored: Replay) -> Path:
    """With a checkpoint of that replay too."""
    stored.seal(folder / "replay")
    parts = {"state": {"weight": np.zeros(2)}, "replay": stored.state()}
    checkpoints.save(folder / checkpoints.FOLDER, stored.inserted, parts, {"inserted": stored.inserted})
    return folder


def chunk(folder: Path, first: int) -> Path:
    """The file of the chunk that begins with this row."""
    return folder / "replay" / f"{first:014d}.safetensors"


def flip(path: Path, place: int = -1) -> None:
    """Change one bit."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
