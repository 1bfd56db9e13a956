"""Killed at any moment, a run goes on and ends as if nothing had happened: the same hash, on a CPU.

One run is killed again and again, mostly at an operation on the disk, sometimes after a random time, until it is done.
`RELIABILITY_KILLS` says how often, over all methods (20; the nightly target: 500), half of them with workers.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from reliability.commands import INTERVAL, METHODS, Method, finish, hash_of, line, reverie, start
from reverie.run import checkpoints, log

WORKERS = (0, 2)
"""Processes that host the environments; the hash is the same."""
KILLS = int(os.environ.get("RELIABILITY_KILLS", "20")) // len(METHODS) // len(WORKERS)
GRACE = 3.0
"""Seconds that a save and one turn may take on a busy machine, on top of the interval."""


@pytest.fixture(scope="module")
def unbroken(method: Method, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("unbroken") / "run"
    outcome = reverie(line(method, run))
    assert outcome.code == 0, outcome.said
    return run


@pytest.mark.timeout(40 * KILLS + 120)
@pytest.mark.parametrize("workers", WORKERS)
def test_killed_at_any_moment(method: Method, unbroken: Path, tmp_path: Path, workers: int) -> None:
    """After each kill at most one interval is lost; the end is that of the unbroken run."""
    random.seed(7 + workers)
    run, words = tmp_path / "run", line(method, tmp_path / "run", f"--config.experience.workers={workers}")
    killed = 0
    while killed < KILLS:
        code = _at_random_time(words, 1.0, 8.0) if killed % 5 == 4 else reverie(words, fault=_operation()).code
        if code == 0:  # it was done before
            run.rename(tmp_path / f"done-{killed}")
            continue
        assert code == -signal.SIGKILL
        killed += 1
        _little_is_lost(run)
    outcome = reverie(words)
    assert outcome.code == 0, outcome.said
    expected = hash_of(unbroken)
    assert hash_of(run) == expected
    assert {hash_of(done) for done in tmp_path.glob("done-*")} <= {expected}


def test_killed_while_it_is_evaluated(method: Method, unbroken: Path) -> None:
    """An evaluation that is killed leaves the run as it was, and no half line."""
    before, evaluations = hash_of(unbroken), unbroken / "evaluations.jsonl"
    words = ["eval", str(unbroken), "--episodes=3"]
    assert _at_random_time(words, 1.0, 2.0) == -signal.SIGKILL
    for _ in range(2):
        assert reverie(words, fault="kill 1").code == -signal.SIGKILL, "an evaluation writes its line"
        assert not log.read(evaluations)
    assert reverie(words).code == 0
    assert len(log.read(evaluations)) == 1
    assert hash_of(unbroken) == before


def _operation() -> str:
    """At which to kill: an early one (opening and restoring), one of the first save, or a later one."""
    return f"kill {random.choice([random.randint(1, 12), random.randint(12, 60), random.randint(60, 200)])}"


def _at_random_time(words: list[str], least: float, most: float) -> int:
    process = start(words)
    time.sleep(random.uniform(least, most))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return finish(process).code


def _little_is_lost(run: Path) -> None:
    """The log's last line is at most one interval younger than the newest checkpoint."""
    logged = log.read(run / log.FILE)
    kept = checkpoints.listed(run / checkpoints.FOLDER)
    saved = checkpoints.read_manifest(kept[0])["seconds"] if kept else 0.0
    first = logged[0]["seconds"] if logged else 0.0
    if logged:
        assert logged[-1]["seconds"] - max(saved, first) <= INTERVAL + GRACE
