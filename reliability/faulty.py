"""A world that keeps its promises except where a script says otherwise.

`FaultyEnv(script)` is found by its name, so `partial(FaultyEnv, script)` reaches a worker. It remembers nothing between
two episodes: which episode it plays it knows from its seed, so a new copy in a new process follows the same script.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from reverie.envs.pool import episode_seed

LENGTH = 6
"""Actions of an episode."""
MEGABYTE = 1 << 20

Row = tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]


class Fault(NamedTuple):
    """What goes wrong, and when."""

    line: int
    """Which environment of the pool."""
    episode: int
    step: int
    """After how many actions; 0 is the reset."""
    kind: str
    """A name in `ACTS` or `LIES`."""


class FaultyEnv(gymnasium.Env[dict[str, Any], np.int64]):
    """Shows (seed modulo 1000, actions so far, last action), a picture and a choice; pays the actions so far.

    Args:
        script: the faults.
        seed: of the pool.
    """

    observation_space = gymnasium.spaces.Dict(
        place=gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64),
        picture=gymnasium.spaces.Box(0, 255, (4, 4, 3), np.uint8),
        choice=gymnasium.spaces.Discrete(3),
    )
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, script: Sequence[Fault] = (), seed: int = 0) -> None:
        self.script = {(episode_seed(seed, fault.line, fault.episode), fault.step): fault.kind for fault in script}
        self.hoard: list[bytearray] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.seed, self.shown, self.time = seed, (seed or 0) % 1000, 0
        return self._row(0)[0], {}

    def step(self, action: np.int64) -> Any:
        self.time += 1
        return self._row(int(action))

    def _row(self, action: int) -> Any:
        kind = self.script.get((self.seed or 0, self.time), "")
        if kind in ACTS:
            ACTS[kind](self)
        place = np.array([self.shown, self.time, action], np.float64)
        picture = np.full((4, 4, 3), self.time, np.uint8)
        shown = {"place": place, "picture": picture, "choice": self.time % 3}
        row = (shown, float(self.time), self.time == LENGTH, False, {})
        return LIES[kind](row) if kind in LIES else row


class SlowToBuild(FaultyEnv):
    """Is never ready, and says so."""

    def __init__(self) -> None:
        os.write(1, b"building\n")
        time.sleep(600)


def _raise(error: BaseException) -> None:
    raise error


def _overflow() -> None:
    _overflow()


def _hoard(env: FaultyEnv) -> None:
    env.hoard.append(bytearray(os.urandom(1) * (64 * MEGABYTE)))


def _forget_the_seed(env: FaultyEnv) -> None:
    env.shown = int.from_bytes(os.urandom(4), "little")


def _die_with_a_child_that_holds_the_pipe() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); print(flush=True); time.sleep(4)"
    child = subprocess.Popen([sys.executable, "-c", deaf], close_fds=False, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    os._exit(3)


def _have_a_child() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


ACTS: dict[str, Callable[[FaultyEnv], Any]] = {
    "raise": lambda _: _raise(RuntimeError("the gears are jammed")),
    "key": lambda _: _raise(KeyError("gear")),
    "assert": lambda _: _raise(AssertionError()),
    "memory": lambda _: _raise(MemoryError()),
    "recursion": lambda _: _overflow(),
    "end of file": lambda _: _raise(EOFError("the level file is empty")),
    "stop iteration": lambda _: _raise(StopIteration()),
    "sys.exit": lambda _: sys.exit(3),
    "segfault": lambda _: ctypes.string_at(0),
    "abort": lambda _: os.abort(),
    "_exit": lambda _: os._exit(3),
    "kill": lambda _: os.kill(os.getpid(), signal.SIGKILL),
    "orphan": lambda _: _die_with_a_child_that_holds_the_pipe(),
    "child": lambda _: _have_a_child(),
    "hang": lambda _: time.sleep(600),
    "stop": lambda _: os.kill(os.getpid(), signal.SIGSTOP),
    "slow": lambda _: time.sleep(0.3),
    "very slow": lambda _: time.sleep(4.0),
    "leak": _hoard,
    "seed ignored": _forget_the_seed,
}
"""What it does before it answers."""


def _shown(name: str, wrong: Callable[[Any], Any]) -> Callable[[Row], Row]:
    """The row with another value under one name."""
    return lambda row: ({**row[0], name: wrong(row[0][name])}, *row[1:])


def _at(index: int, value: Any) -> Callable[[Row], Row]:
    """The row with another reward (1), terminated (2) or truncated (3)."""
    return lambda row: (*row[:index], value, *row[index + 1 :])


def _in_place(value: float) -> Callable[[Row], Row]:
    return _shown("place", lambda place: np.array([place[0], value, place[2]]))


LIES: dict[str, Callable[[Row], Any]] = {
    "nan": _in_place(np.nan),
    "inf": _in_place(np.inf),
    "-inf": _in_place(-np.inf),
    "huge": _in_place(1e300),
    "reward nan": _at(1, np.nan),
    "reward inf": _at(1, np.inf),
    "reward huge": _at(1, -1e300),
    "nan and reward nan": lambda row: _at(1, np.nan)(_in_place(np.nan)(row)),
    "shape": _shown("place", lambda place: place[:2]),
    "picture shape": _shown("picture", lambda picture: picture[:3]),
    "dtype": _shown("picture", lambda picture: picture / 255),
    "objects": _shown("place", lambda place: np.array([None, *place[1:]], object)),
    "text": _shown("place", lambda place: place.astype(str)),
    "complex": _shown("place", lambda place: place.astype(complex)),
    "choice": _shown("choice", lambda _: 3),
    "choice nan": _shown("choice", lambda _: np.nan),
    "pixels": _shown("picture", lambda picture: picture.astype(np.int64) + 300),
    "nothing": _shown("place", lambda _: None),
    "missing": lambda row: ({"place": row[0]["place"]}, *row[1:]),
    "reward none": _at(1, None),
    "reward text": _at(1, "much"),
    "end nan": _at(2, np.nan),
    "end text": _at(3, "no"),
    "four": lambda row: row[:4],
    "both ends": lambda row: (*row[:2], True, True, row[4]),
}
"""What it says instead of the truth."""
