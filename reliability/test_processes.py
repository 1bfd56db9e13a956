"""One writer, readers that never see half of anything, and nothing left behind by any kind of end."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from reliability.collecting import collect, opened
from reliability.processes import errors, running
from reverie.data import durable
from reverie.run import checkpoints, log, manifest, runs

AT_ONCE = 1.0
GONE = 2.0
"""Seconds after its end in which nothing of a process may be left."""
IMPORTS = 3.0
"""Seconds more for a worker that is still importing: our code, which would notice, is not yet in it."""
READS, WRITTEN = 10_000, 50

HOLD = """
import sys, time
from pathlib import Path
from reliability.collecting import Fault, hired, opened
if __name__ == "__main__":
    with opened(Path(sys.argv[1])):
        pool, _, collector = hired(1, Fault(0, 0, 1, "hang"))
        pool.step(None)
        print("held", flush=True)
        time.sleep(600)
"""

ENTER = """
import json, sys, time
from pathlib import Path
from reliability.collecting import opened
from reverie.errors import UserError
began = time.monotonic()
try:
    with opened(Path(sys.argv[1])):
        answer = [0, "entered"]
except UserError as error:
    answer = [error.code, str(error)]
print(json.dumps([*answer, time.monotonic() - began]), flush=True)
"""


def test_a_second_writer_is_refused_at_once_and_the_lock_dies_with_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(HOLD, folder, folder=tmp_path) as first:
        assert first.said == "held", errors(first)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with running(ENTER, folder, folder=tmp_path) as second:
            code, message, seconds = json.loads(second.said)
        assert (code, seconds < AT_ONCE) == (75, True)
        assert f"in use by pid {first.process.pid} on {os.uname().nodename}" in message
        assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
        first.process.kill()
        first.process.wait()
        began = time.monotonic()
        with opened(folder):
            assert time.monotonic() - began < AT_ONCE


WRITE = """
import sys
from pathlib import Path
import numpy as np
from reliability.collecting import opened
from reverie.run import manifest
with opened(Path(sys.argv[1])) as run:
    for step in range(1, 10**9):
        run.log(step, loss=step / 10, padding="x" * 200)
        run.save(step, {"x": np.full(20_000, float(step))}, {"updates": step})
        manifest.write(run.directory, run.manifest)
        if step == 3:
            print("writing", flush=True)
"""


def test_readers_never_see_half_of_what_is_being_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(WRITE, folder, folder=tmp_path) as writer:
        assert writer.said == "writing", errors(writer)
        about, read, lines = manifest.read(folder), 0, 0
        while read < READS or lines < WRITTEN:
            assert manifest.read(folder) == about
            if read % 5 == 0:
                assert_a_whole_checkpoint(folder / checkpoints.FOLDER)
            if read % 50 == 0:
                assert writer.process.poll() is None, errors(writer)
                lines = assert_whole_lines(folder, lines)
            read += 1
        assert runs.describe(folder)["state"] == "running"


def assert_a_whole_checkpoint(root: Path) -> None:
    """The newest can be read and is of one piece, or newer ones have taken its place."""
    newest = checkpoints.listed(root)[0]
    try:
        found = checkpoints.load(newest)
    except FileNotFoundError:
        assert checkpoints.step_of(checkpoints.listed(root)[0]) > checkpoints.step_of(newest) + 1
        return
    step = found.about["step"]
    assert (step, found.about["counters"]) == (checkpoints.step_of(newest), {"updates": step})
    assert (found.parts["state"]["x"] == step).all()


def assert_whole_lines(folder: Path, before: int) -> int:
    entries = log.read(folder / log.FILE)
    assert [(entry["step"], entry["loss"]) for entry in entries] == [(n, n / 10) for n in range(1, len(entries) + 1)]
    assert len(entries) >= before
    return len(entries)


PLAY = """
import os, sys, threading, time
from functools import partial
import numpy as np
from reliability.faulty import Fault, FaultyEnv, SlowToBuild
from reverie.envs.pool import Pool
SCRIPT = (Fault(0, 0, 0, "child"), Fault(1, 0, 2, "hang"))
def play(world, steps):
    print("playing", flush=True)
    pool = Pool(world, count=2, workers=2)
    pool.step(None)
    for _ in range(steps):
        pool.step(np.zeros((2, 1), np.int32))
    open(sys.argv[1], "w").close()
if __name__ == "__main__":
    {then}
"""
STEADY = "play(partial(FaultyEnv, SCRIPT), 1); "
HANGING = "play(partial(FaultyEnv, SCRIPT), 2)"
BUILDING = "play(SlowToBuild, 0)"


PROCESSES = {"idle": 5, "hanging": 5, "starting": 4, "building": 4}
"""The trainer, multiprocessing's resource tracker, two workers, and a child of an environment."""


def in_thread(call: str) -> str:
    """The same from a thread, whose end the kernel's death signal would mistake for the trainer's."""
    return f"thread = threading.Thread(target=lambda: {call}); thread.start(); thread.join()"


@pytest.mark.parametrize("then", ["pass", "raise KeyError", "sys.exit(1)", "os._exit(1)"])
def test_nothing_is_left_of_a_trainer_that_ends(then: str, tmp_path: Path) -> None:
    before = set(Path("/dev/shm").iterdir())
    with running(PLAY.format(then=STEADY + then), tmp_path / "ready", folder=tmp_path) as script:
        script.process.wait(20)
        assert (tmp_path / "ready").exists(), errors(script)
        assert script.last(GONE + 1) < GONE
    assert set(Path("/dev/shm").iterdir()) <= before


KILLED = [(state, number) for state in ("idle", "hanging", "starting", "building") for number in (15, 2, 9)]
KILLED += [(f"{state} in a thread", number) for state in ("hanging", "building") for number in (15, 9)]
STATES = {
    "idle": STEADY + "time.sleep(600)",
    "hanging": HANGING,
    "hanging in a thread": in_thread(HANGING),
    "starting": BUILDING,
    "building": BUILDING,
    "building in a thread": in_thread(BUILDING),
}


@pytest.mark.parametrize(("state", "number"), KILLED)
def test_nothing_is_left_of_a_trainer_that_is_ended(state: str, number: int, tmp_path: Path) -> None:
    before = set(Path("/dev/shm").iterdir())
    with running(PLAY.format(then=STATES[state]), tmp_path / "ready", folder=tmp_path) as script:
        while len(script.family()) < PROCESSES[state.split()[0]]:
            assert script.process.poll() is None, errors(script)
            time.sleep(0.01)
        time.sleep(0 if state == "starting" else 0.5)
        if "building" in state:
            script.says("building")
            script.says("building")
        script.process.send_signal(number)
        script.process.wait(10)
        gone = GONE + IMPORTS if state == "starting" else GONE
        assert script.last(gone + 1) < gone
    assert set(Path("/dev/shm").iterdir()) <= before


def test_nothing_is_left_of_a_run_that_is_asked_to_stop(tmp_path: Path) -> None:
    text = "import sys\nfrom pathlib import Path\nfrom reliability.collecting import Fault, collect\n"
    text += "if __name__ == '__main__':\n    print('begun', flush=True)\n"
    text += "    sys.exit(128 + collect(Path(sys.argv[1]), 2, 10**9, Fault(0, 0, 0, 'child')))\n"
    folder = tmp_path / "run"
    with running(text, folder, folder=tmp_path) as script:
        while not checkpoints.listed(folder / checkpoints.FOLDER):
            assert script.process.poll() is None, errors(script)
            time.sleep(0.01)
        script.process.send_signal(signal.SIGTERM)
        assert script.process.wait(20) == 128 + signal.SIGTERM, errors(script)
        assert script.last(GONE + 1) < GONE
    assert list(folder.rglob(f"{durable.TEMPORARY}*")) == []


DIE = """
import os, sys
from pathlib import Path
from reliability.collecting import collect
from reverie.data import durable
class Deadly(durable.LocalDisk):
    def rename(self, source, target):
        if sys.argv[2] in str(target) and self.seen:
            os.kill(os.getpid(), 9)
        self.seen = True
        super().rename(source, target)
    seen = False
with durable.using(Deadly()):
    print("begun", flush=True)
    collect(Path(sys.argv[1]), saves=3)
"""


@pytest.mark.parametrize("where", ["checkpoints/", "replay/", "manifest.json", "media/"])
def test_what_a_killed_run_left_unfinished_is_swept_at_the_next_opening(where: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    collect(folder, saves=2)
    with running(DIE, folder, where, folder=tmp_path) as script:
        assert script.process.wait(30) == -signal.SIGKILL, errors(script)
    strays = list(folder.rglob(f"{durable.TEMPORARY}*"))
    assert len(strays) == 1
    assert where.rstrip("/") in str(strays[0])
    collect(folder, saves=0)
    assert list(folder.rglob(f"{durable.TEMPORARY}*")) == []


FORK = """
import os, sys
from pathlib import Path
forks = []
sys.addaudithook(lambda event, _: forks.append(event) if event in ("os.fork", "os.forkpty") else None)
import jax
import jax.numpy as jnp
from reliability.collecting import Fault, collect
import numpy as np
from reverie.evaluate.video import has_mp4, mp4
if __name__ == "__main__":
    assert jax.jit(lambda x: x + 1)(jnp.zeros(3)).sum() == 3
    collect(Path(sys.argv[1]), 2, 20, Fault(0, 0, 2, "_exit"), Fault(1, 1, 2, "segfault"))
    if has_mp4():
        mp4(np.zeros((4, 16, 16, 3), np.uint8), 10.0)
    before = len(forks)
    if not os.fork():
        os._exit(0)
    print(before, len(forks), flush=True)
"""


def test_nobody_forks_once_jax_has_started(tmp_path: Path) -> None:
    with running(FORK, tmp_path / "run", folder=tmp_path) as script:
        assert script.said == "0 1", errors(script)
