"""Steps per second of an environment on its way to the agent: Gymnasium's own loop, ours, and pools of eight.

CartPole takes some microseconds per step, so this is overhead and little else. Workers pay where a step takes longer
than the message that asks for it; `repetitions` counts tenths of a second each.
"""

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.envs.pool import Pool

NAME, COUNT, SLICE = "CartPole-v1", 8, 0.1


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    """`sizes` are of models: an environment has one."""
    config, answer = EnvironmentConfig(), {}
    answer["gymnasium"] = _rate(_gymnasium(), repetitions)
    answer["reverie"] = _rate(_single(config), repetitions)
    for workers in (0, 1, 2):
        with Pool(NAME, config, count=COUNT, workers=workers) as pool:
            name = f"pool of {COUNT}, {workers} workers"
            answer[name] = COUNT * _rate(_pooled(pool), repetitions)
    return answer


def _rate(step: Callable[[], None], repetitions: int) -> float:
    """Median calls per second over slices of time, after one slice of warming up."""
    rates = []
    for _ in range(1 + repetitions):
        calls, start = 0, time.perf_counter()
        while (spent := time.perf_counter() - start) < SLICE:
            step()
            calls += 1
        rates.append(calls / spent)
    return float(np.median(rates[1:]))


def _gymnasium() -> Callable[[], None]:
    environment = gymnasium.make(NAME)
    environment.reset(seed=0)

    def step() -> None:
        *_, terminated, truncated, _ = environment.step(0)
        if terminated or truncated:
            environment.reset()

    return step


def _single(config: EnvironmentConfig) -> Callable[[], None]:
    environment, action = make(NAME, config), np.zeros(1, np.int32)
    environment.reset(0)

    def step() -> None:
        row = environment.step(action)
        if row.terminated or row.truncated:
            environment.reset(0)

    return step


def _pooled(pool: Pool) -> Callable[[], None]:
    actions = np.zeros((COUNT, 1), np.int32)
    pool.step(None)

    def step() -> None:
        pool.step(actions)

    return step
