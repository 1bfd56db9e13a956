"""Small runs of World Models, for the tests of its stages."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from reverie import api
from reverie.envs.config import EnvironmentConfig
from reverie.methods import vmc
from reverie.run import checkpoints
from reverie.run.experience import ExperienceConfig
from reverie.run.run import Run

EXPERIENCE = ExperienceConfig(environments=2, train_ratio=0.0, capacity=100, gibibytes=1.0)
CONFIG = vmc.Config(
    latents=3, units=5, depth=1, vision_batch=4, vision_epochs=1.0, memory_epochs=4.0, memory_batch=2, memory_length=6,
    frames=100, population=4, rollouts=1, generations=3, evaluate_every=2, evaluation=2, limit=20,
    experience=EXPERIENCE,
)  # fmt: skip
DREAM = replace(CONFIG, dream=True)


class Blinking(gymnasium.Env[np.ndarray, np.int64]):
    """One colour after another; the middle choice pays."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(3)
    length = 5

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self._see(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self._see(), float(action == 1), False, self.time >= self.length, {}

    def _see(self) -> np.ndarray:
        return np.full((64, 64, 3), self.np_random.integers(256), np.uint8)


def begun(folder: Path, config: vmc.Config = CONFIG, world: Any = Blinking, *, seed: int = 0) -> Run:
    return api.start(
        "vmc", world, size="nano", config=config, options=EnvironmentConfig(), steps=None, budget=None, seed=seed,
        run=folder, new=False, save_every=1e6,
    )  # fmt: skip


def train(
    folder: Path, config: vmc.Config = CONFIG, world: Any = Blinking, stop_after: int = 0, *, seed: int = 0,
    logged: list[dict[str, Any]] | None = None, **stages: Any,
) -> Run:  # fmt: skip
    """To its end, or until so many lines were logged since (they are added to `logged`)."""
    run = begun(folder, config, world, seed=seed)
    seen, log = [] if logged is None else logged, run.log

    def noting(step: int, **scalars: Any) -> None:
        log(step, **scalars)
        seen.append(scalars)
        if len(seen) == stop_after:
            run.ask_to_stop(signal.SIGTERM)

    run.log = noting
    with run:
        vmc.train(run, config, world, EnvironmentConfig(), **stages)
    assert bool(run.stop) == bool(stop_after)
    return run


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]


def updates(run: Run, stage: str) -> list[dict[str, Any]]:
    return [line for line in lines(run) if f"done/{stage}" in line]


def final(run: Run) -> dict[str, bytes]:
    """Every array of the last checkpoint, and its counters."""
    _, about, parts = checkpoints.load(checkpoints.listed(run.directory / "checkpoints")[0])
    arrays = {f"{part}/{name}": array.tobytes() for part, named in parts.items() for name, array in named.items()}
    return arrays | {"counters": json.dumps(about["counters"]).encode()}
