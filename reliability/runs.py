"""A run without a model: a trainer's files, counters and replay, in milliseconds. Every number says what it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from data.numbered import STREAMS, empty, fill, latents
from jaxtyping import PyTree

from reverie.data.replay import Replay
from reverie.run.run import Run

ABOUT = {"method": "m", "environment": "e", "size": "nano", "seed": 4, "config": {"a": {"b": 1}}, "steps": 1000}
CAPACITY, PER_SAVE, LINES = 40, 100, 5
"""Rows in the replay (and 64 per stream beyond them), times between two checkpoints, and lines that they log.

The third checkpoint does not need the first chunk.
"""


class Snapshot(NamedTuple):
    """What a checkpoint promises to give back."""

    value: float
    key: list[int]
    counters: dict[str, Any]
    inserted: int
    rows: list[float]
    stoch: list[int]
    drawn: list[int]
    logged: list[int]


def state(value: float) -> PyTree:
    return {
        "parameters": {"w": jnp.full(300, float(value))},
        "key": jr.key(int(value)),
        "average": np.full(1, float(value)),
    }


def advance(run: Run, memory: Replay, number: int) -> Snapshot:
    """Experience, log lines, then checkpoint `number`; what it promises."""
    for time in range((number - 1) * PER_SAVE, number * PER_SAVE):
        fill(memory, range(time, time + 1))
        if (time + 1) % (PER_SAVE // LINES) == 0:
            run.log(time, loss=time / 10, text="x" * 200)
    batch = memory.draw(number - 1, 8, memory.inserted)
    memory.write_back(batch.ids, latents(batch.ids + number))
    tree, counters = state(number), {"updates": number}
    promised = snapshot(run, memory, tree, counters)
    run.save(number * PER_SAVE, tree, counters, memory)
    return promised


def restored(run: Run, capacity: int = CAPACITY) -> tuple[Snapshot | None, Replay]:
    """What `run` goes back to."""
    memory = empty(capacity)
    back = run.restore(state(0), memory)
    return back and snapshot(run, memory, back[0], back[1]), memory


def snapshot(run: Run, memory: Replay, tree: PyTree, counters: dict[str, Any]) -> Snapshot:
    ids = np.arange(max(0, memory.inserted - memory.capacity), memory.inserted)
    latest = memory._rows.take(ids)["observation.state"][:, 0]
    following = memory.draw(memory._next, 4, memory.inserted, ahead=True).ids
    memory._taken.pop(memory._next + 1)
    return Snapshot(
        float(tree["parameters"]["w"][7]),
        jr.key_data(tree["key"]).tolist(),
        dict(counters),
        memory.inserted,
        latest.tolist(),
        memory.latents(ids)["stoch"].ravel().tolist(),
        following.ravel().tolist(),
        [entry["step"] for entry in run.metrics()],
    )


def made(
    folder: Path, saves: int, after: Callable[[], object] = lambda: None, capacity: int = CAPACITY
) -> list[Snapshot]:
    """A run with so many checkpoints; `after` is called behind each. What they promise."""
    promises, memory = [], empty(capacity)
    with Run.create(folder, ABOUT) as run:
        assert run.restore(state(0), memory) is None
        for number in range(1, saves + 1):
            promises.append(advance(run, memory, number))
            after()
    return promises


def losses(folder: Path) -> str:
    """What the last restart had to say of what was lost."""
    return json.loads((folder / "restarts.jsonl").read_text().splitlines()[-1])["messages"]


def lost_rows(memory: Replay) -> set[int]:
    """Rows that no window may hold, of those that the replay could still hold."""
    held = np.arange(memory._held(), memory.inserted)
    owner, begin, stop = memory._windows._segments.T
    time, stream = held // STREAMS, held % STREAMS
    inside = (owner == stream[:, None]) & (begin <= time[:, None]) & (time[:, None] < stop)
    return set(held[~inside.any(axis=1)].tolist())
