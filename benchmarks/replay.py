"""Replayed steps per second: rows added by 16 environments, and batches of 16 windows drawn, read and written back."""

import time
from typing import Any

import numpy as np

from benchmarks.update import OBSERVATIONS, spaces
from reverie.data.replay import Replay
from reverie.types import Step

STREAMS, LENGTH, BATCH = 16, 65, 16
LATENTS = {"deter": ((512,), "float32"), "stoch": ((32,), "uint8")}  # of size 1m
ROWS, DRAWS = 500, 20


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    """`sizes` are of models: there is one of the replay."""
    return {observation: _measure(observation, repetitions) for observation in OBSERVATIONS}


def _measure(observation: str, repetitions: int) -> dict[str, float]:
    replay = Replay(
        spaces(observation), LATENTS, streams=STREAMS, length=LENGTH, capacity=2 * STREAMS * ROWS, seed=0, online=False
    )
    row, action, latents = _row(observation)
    added, drawn, batch = [], [], 0
    for _ in range(max(2, repetitions)):
        start = time.perf_counter()
        for _ in range(ROWS):
            replay.add(row, action, latents)
        added.append(ROWS * STREAMS / (time.perf_counter() - start))
        start = time.perf_counter()
        for _ in range(DRAWS):
            ids = replay.draw(batch, BATCH, replay.inserted).ids
            replay.write_back(ids, replay.latents(ids))
            batch += 1
        drawn.append(DRAWS * BATCH * LENGTH / (time.perf_counter() - start))
    return {"added per second": float(np.median(added)), "drawn per second": float(np.median(drawn))}


def _row(observation: str) -> tuple[Step, np.ndarray, dict[str, np.ndarray]]:
    spec, never = OBSERVATIONS[observation], np.zeros(STREAMS, bool)
    seen = {observation: np.ones((STREAMS, *spec.shape), spec.dtype)}
    latents = {name: np.ones((STREAMS, *shape), dtype) for name, (shape, dtype) in LATENTS.items()}
    return Step(seen, np.zeros(STREAMS, np.float32), never, never, never), np.zeros((STREAMS, 1), np.int32), latents
