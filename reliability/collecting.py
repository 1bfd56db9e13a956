"""A run that learns nothing: it collects, saves and logs as a trainer does, in a second instead of a minute."""

from functools import partial
from pathlib import Path

import numpy as np

from reliability.faulty import Fault, FaultyEnv
from reverie.data import durable
from reverie.data.replay import Replay
from reverie.envs.pool import Pool
from reverie.run import manifest
from reverie.run.collect import Collector
from reverie.run.run import Run
from reverie.types import Step

ABOUT = {"method": "none", "environment": "FaultyEnv", "size": "nano", "seed": 0, "config": {}, "steps": 10**9}
STREAMS = 2


def opened(folder: Path) -> Run:
    """The run of a folder, made if there is none."""
    return Run.create(folder, ABOUT)


def hired(workers: int, *script: Fault) -> tuple[Pool, Replay, Collector]:
    """What collects, with nothing collected yet."""
    pool = Pool(partial(FaultyEnv, script), count=STREAMS, workers=workers)
    replay = Replay(pool.spaces, {}, streams=STREAMS, length=4, capacity=1000, seed=0)
    return pool, replay, Collector(pool, replay)


def act(row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Always the same."""
    return np.ones((len(row.reward), 1), np.int32), {}


def collect(folder: Path, workers: int = 0, saves: int = 10**9, *script: Fault) -> int:
    """Collects and saves so often, or until a signal asks to stop; gives its number."""
    with opened(folder) as run:
        pool, replay, collector = hired(workers, *script)
        with pool:
            run.restore({"x": np.zeros(3)}, replay, collector)
            while not run.stop and saves:
                collector.step(act)
                run.finished(collector.steps)
                run.log(collector.steps, rows=replay.inserted)
                run.save(collector.steps, {"x": np.full(3, float(replay.inserted))}, {}, replay, collector)
                durable.write(run.media / "film", b"film")
                manifest.write(run.directory, run.manifest)
                saves -= 1
        return run.stop
