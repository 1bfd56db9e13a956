"""`python -m reliability.child WORDS`: `reverie WORDS` with a fault built in, named by RELIABILITY_FAULT.

    kill K     the whole process group is killed at the K-th operation on the disk, halfway through what it writes
    jitter S   every thread pauses now and then, by a random schedule of seed S
    compiling  no fault: says at the end at which steps something was compiled
    (none)     as it is

Checkpoints are due every `commands.INTERVAL` seconds instead of every minute.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reliability.commands import INTERVAL
from reverie.data import durable


class Killing(durable.LocalDisk):
    """Kills at the k-th operation: before it, or in the middle of a write."""

    def __init__(self, k: int) -> None:
        self._left = k

    def _count(self) -> bool:
        self._left -= 1
        return self._left == 0

    def write(self, path: Path, content: durable.Content) -> None:
        pieces = [content] if isinstance(content, bytes) else list(content)
        if self._count():
            super().write(path, [piece[: len(piece) // 2] for piece in pieces[: 1 + len(pieces) // 2]])
            _die()
        super().write(path, pieces)

    def append(self, path: Path, content: bytes) -> None:
        if self._count():
            super().append(path, content[: len(content) // 2])
            _die()
        super().append(path, content)

    def sync(self, path: Path) -> None:
        self._die_if_due()
        super().sync(path)

    def rename(self, source: Path, target: Path) -> None:
        self._die_if_due()
        super().rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._die_if_due()
        super().link(source, target)

    def make_folder(self, path: Path) -> None:
        self._die_if_due()
        super().make_folder(path)

    def remove(self, path: Path) -> None:
        self._die_if_due()
        super().remove(path)

    def cut(self, path: Path, size: int) -> None:
        self._die_if_due()
        super().cut(path, size)

    def _die_if_due(self) -> None:
        if self._count():
            _die()


def _die() -> None:
    os.killpg(0, signal.SIGKILL)


def _jittered(seed: int, function: Callable[..., Any]) -> Callable[..., Any]:
    schedule = random.Random(seed)

    def late(*args: Any, **kwargs: Any) -> Any:
        time.sleep(schedule.choice([0, 0, 0, 0.001, 0.01]))
        return function(*args, **kwargs)

    return late


def _steps_of_compilations() -> list[int]:
    """Grows with every compilation, by the step at which it happened."""
    import jax

    from reverie.run.run import Run

    steps, now = [], [0]
    finished = Run.finished

    def noted(self: Run, step: int) -> bool:
        now[0] = step
        return finished(self, step)

    def compiled(event: str, _seconds: float, **_: object) -> None:
        if event.endswith("backend_compile_duration"):
            steps.append(now[0])

    Run.finished = noted
    jax.monitoring.register_event_duration_secs_listener(compiled)
    return steps


def main() -> int:
    fault, _, number = os.environ.get("RELIABILITY_FAULT", "").partition(" ")
    from reverie.cli.main import main as reverie

    if "train" in sys.argv[1:2]:
        from reverie.data.replay import Replay
        from reverie.envs.pool import Pool
        from reverie.run import run

        run.EVERY["checkpoint"], run.SHARE = INTERVAL, 0.5
        if fault == "jitter":
            Replay.draw = _jittered(int(number), Replay.draw)
            Pool.step = _jittered(int(number) + 1, Pool.step)
    if fault == "compiling":
        steps = _steps_of_compilations()
        code = reverie()
        sys.stdout.write(f"compiled at {json.dumps(steps)}\n")
        return code
    if fault == "kill":
        with durable.using(Killing(int(number))):
            return reverie()
    return reverie()


if __name__ == "__main__":
    sys.exit(main())
