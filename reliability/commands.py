"""`reverie` in processes of its own, of every method, so small that a whole run takes seconds.

A method that lands gets a line in METHODS, and with it every test that kills, stops or repeats runs.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

_DREAMER3 = {
    "config": {"batch": 2, "length": 4, "horizon": 2, "units": 8, "depth": 1},
    "config.rssm": {"deter": 16, "hidden": 8, "stoch": 2, "classes": 4, "blocks": 2},
    "config.experience": {"environments": 4, "train-ratio": 2, "dispatch": 2, "capacity": 500},
}

_BEFORE = {"batch": 2, "length": 4, "units": 8, "depth": 1}
_COLLECTED = {"environments": 4, "train-ratio": 2, "dispatch": 2, "capacity": 500, "prefill": 20, "gibibytes": 1}
_DREAMER2 = {
    "config": _BEFORE | {"horizon": 2, "layers": 1},
    "config.rssm": {"deter": 8, "hidden": 8, "stoch": 2, "classes": 4},
    "config.experience": _COLLECTED,
}
_DREAMER1 = {
    "config": _BEFORE | {"horizon": 2},
    "config.rssm": {"deter": 8, "hidden": 8, "stoch": 2},
    "config.experience": _COLLECTED,
}
_PLANET = {
    "config": _BEFORE | {"horizon": 2},
    "config.rssm": {"deter": 8, "hidden": 8, "stoch": 2},
    "config.planner": {"candidates": 4, "elites": 2, "iterations": 2},
    "config.experience": _COLLECTED | {"updates-per-episode": 1},
}
_VMC = {
    "config": {"frames": 150, "latents": 2, "units": 4, "depth": 1, "generations": 10000, "evaluate-every": 2}
    | {"vision-batch": 4, "vision-epochs": 1, "memory-batch": 2, "memory-length": 10, "memory-epochs": 1}
    | {"population": 4, "rollouts": 1, "evaluation": 2},
    "config.experience": {"environments": 4, "dispatch": 2, "capacity": 500, "gibibytes": 1},
}


class Method(NamedTuple):
    """A method, where it is tried, and its settings."""

    name: str
    environment: str
    flags: tuple[str, ...]
    long: int
    """Steps, more than can be done before a signal comes."""
    laden: tuple[str, ...] = ()
    """Settings by which one row owes thousands of updates; none where rows owe nothing."""


def _flags(settings: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    return tuple(f"--{part}.{name}={value}" for part, values in settings.items() for name, value in values.items())


METHODS = [
    Method("dreamer3", "CartPole-v1", _flags(_DREAMER3), 6000, laden=("--config.experience.train-ratio=16000",)),
    Method("dreamer2", "CartPole-v1", _flags(_DREAMER2), 6000),
    Method("dreamer1", "CartPole-v1", _flags(_DREAMER1), 6000),
    Method("planet", "CartPole-v1", _flags(_PLANET), 6000),
    Method("vmc", "CartPole-v1", ("--environment.pixels", *_flags(_VMC)), 2000),
]
STEPS = 1500
"""Simulator steps of a whole run."""
INTERVAL = 0.3
"""Seconds between checkpoints, for runs that are killed."""


class Outcome(NamedTuple):
    """How a process ended."""

    code: int
    seconds: float
    """From the signal, if there was one, else from the start."""
    said: str


def line(method: Method, run: Path, *more: str, steps: int = STEPS) -> list[str]:
    """The words of a training."""
    return ["train", method.name, method.environment, f"--steps={steps}", f"--run={run}", *method.flags, *more]


def start(
    words: Sequence[str],
    *,
    fault: str = "",
    cwd: Path | None = None,
    output: int | IO[str] = subprocess.PIPE,
    **variables: str,
) -> subprocess.Popen[str]:
    """A `reverie` that begins; `fault` as `reliability/child.py` has it. It leads a process group of its own."""
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": path, "RELIABILITY_FAULT": fault, "COLUMNS": "500"} | variables
    command = [sys.executable, "-m", "reliability.child", *words]
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=cwd or root, env=environment, text=True, start_new_session=True, **streams)


@contextlib.contextmanager
def running(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A `reverie` that is gone afterwards, whatever happens."""
    process = start(words)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def finish(process: subprocess.Popen[str], *, seconds: float = 120) -> Outcome:
    """Waits for the end of a process, at most so long."""
    began = time.monotonic()
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return Outcome(process.returncode, time.monotonic() - began, said)


def reverie(words: Sequence[str], **options: str) -> Outcome:
    """A whole `reverie`."""
    return finish(start(words, **options))


def hash_of(run: Path) -> str:
    """What `reverie runs hash` says."""
    outcome = reverie(["runs", "hash", str(run)])
    assert outcome.code == 0, outcome.said
    return outcome.said.strip()


def completed(words: Sequence[str], run: Path, **options: str) -> str:
    """Runs to the end, and gives the hash."""
    outcome = reverie(words, **options)
    assert outcome.code == 0, outcome.said
    return hash_of(run)
