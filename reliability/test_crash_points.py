"""Every point at which a crash can happen, and everything it may leave: the old or the new, never a mix.

The operations of whole runs are recorded, and each prefix is laid out as the disks that a crash there may leave behind
(`disks.crashes`). From each of them a run goes on as its command line would.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from data.numbered import STREAMS, empty, fill

from reliability import runs
from reliability.disks import Recorder, Stopped, crashes, image, materialise
from reverie.data import durable, replay
from reverie.run import checkpoints, lock, manifest
from reverie.run.run import Run

SAVES = 3


def record(root: Path) -> tuple[Recorder, list[runs.Snapshot]]:
    """A run of three checkpoints: the third lets go of the first, and of the chunks that only it needed."""
    recorder = Recorder(root)
    with durable.using(recorder):
        promises = runs.made(root / "runs" / "a", SAVES, recorder.mark)
    return recorder, promises


class Resumed(NamedTuple):
    """What a process that was started again found, what it says is lost, and the checkpoint it then made."""

    found: runs.Snapshot | None
    lost: str
    following: runs.Snapshot


def go_on(folder: Path) -> Resumed:
    """Resume, and make one checkpoint more."""
    with Run.create(folder, runs.ABOUT) as run:
        found, memory = runs.restored(run)
        following = runs.advance(run, memory, (found.counters["updates"] if found else 0) + 1)
    return Resumed(found, runs.losses(folder) if found else "", following)


def come_back(folder: Path) -> runs.Snapshot | None:
    """Resume, and nothing more."""
    with Run.create(folder, runs.ABOUT) as run:
        return runs.restored(run)[0]


def test_a_crash_anywhere_in_a_run_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    recorder, promises = record(tmp_path / "made")
    cases = 0
    for promised, disk in crashes(recorder, tmp_path / "left"):
        folder = disk / "runs" / "a"
        with durable.using(Recorder(disk)):
            resumed = go_on(folder)
            assert come_back(folder) == resumed.following, disk.name
        assert resumed.found in [None, *promises][promised : promised + 2], disk.name
        assert resumed.lost == "", disk.name
        cases += 1
    assert recorder.promised(len(recorder.log)) == SAVES
    assert {operation.kind for operation in recorder.log} == {
        "write",
        "append",
        "sync",
        "rename",
        "make_folder",
        "remove",
    }
    assert cases > 150


def test_a_crash_anywhere_while_resuming_leaves_what_was_resumed_or_the_next(tmp_path: Path) -> None:
    """The first process logged and sealed more than it saved: the second one cuts, deletes, notes, and goes on."""
    recorder = Recorder(tmp_path / "made")
    folder = recorder.root / "runs" / "a"
    with durable.using(recorder):
        promised = runs.made(folder, 2)[1]
        with Run.open(folder) as run:
            _, memory = runs.restored(run)
            run.log(999, loss=1.0)
            fill(memory, range(2 * runs.PER_SAVE, 2 * runs.PER_SAVE + 10))
            memory.seal(folder / "replay")
        begin = len(recorder.log)
        following = go_on(folder).following
        recorder.mark()
    for marks, disk in crashes(recorder, tmp_path / "left", begin):
        with durable.using(Recorder(disk)):
            resumed = go_on(disk / "runs" / "a")
        assert resumed.found in [promised, following][marks:], disk.name
        assert resumed.lost == "", disk.name


def test_a_kill_anywhere_and_then_a_power_failure_lose_nothing_that_was_saved_between(tmp_path: Path) -> None:
    """A killed process may not have waited for what it made; the one after it may not trust that it had."""
    length = len(record(tmp_path / "whole")[0].log)
    for stop_at in range(length):
        recorder = Recorder(tmp_path / f"{stop_at}", stop_at=stop_at)
        folder = recorder.root / "runs" / "a"
        with durable.using(recorder):
            with pytest.raises(Stopped):
                runs.made(folder, SAVES)
            (folder / lock.FILE).unlink(missing_ok=True)  # the lock of a process ends with it
            promised = go_on(folder).following
        left = materialise(image(recorder.log, "dropped", "lost"), tmp_path / f"{stop_at}-left")
        with durable.using(Recorder(left)):
            assert come_back(left / "runs" / "a") == promised, stop_at


# ------------------------------------------------------------------------------------------------- the parts, alone


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    old, new = b"old " * 200, b"new and longer " * 200
    recorder = Recorder(tmp_path / "made")
    with durable.using(recorder):
        durable.write(recorder.root / "runs" / "file", old)
        recorder.mark()
        durable.write(recorder.root / "runs" / "file", new)
        recorder.mark()
    for promised, disk in crashes(recorder, tmp_path / "left"):
        path = disk / "runs" / "file"
        assert (path.read_bytes() if path.exists() else None) in [None, old, new][promised : promised + 2], disk.name
        durable.sweep(path.parent)
        assert not list(disk.rglob(f"{durable.TEMPORARY}*")), disk.name


def test_a_manifest_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "made")
    folder = recorder.root / "runs" / "a"
    with durable.using(recorder):
        for steps in (1000, 2000):
            Run.create(folder, runs.ABOUT | {"steps": steps})
            recorder.mark()
    for promised, disk in crashes(recorder, tmp_path / "left"):
        folder = disk / "runs" / "a"
        steps = Run.open(folder).manifest["steps"] if (folder / manifest.FILE).exists() else None
        assert steps in [None, 1000, 2000][promised : promised + 2], disk.name


def test_lines_that_were_waited_for_stay_and_others_come_whole_or_not(tmp_path: Path) -> None:
    lines = [f"{number} " + "x" * 300 for number in range(6)]
    recorder = Recorder(tmp_path / "made")
    with durable.using(recorder):
        for number, line in enumerate(lines):
            durable.append_line(recorder.root / "log", line, sync=number % 2 == 1)
            if number in (0, 1, 3, 5):
                recorder.mark()
    for marks, disk in crashes(recorder, tmp_path / "left"):
        promised = (0, 1, 2, 4, 6)[marks]
        path = disk / "log"
        durable.append_line(path, "after")
        *before, last = [line.decode() for line in durable.whole_lines(path)]
        assert last == "after", disk.name
        assert before[:promised] == lines[:promised], disk.name
        assert [line for line in before if line in lines] == lines[: sum(line in lines for line in before)], disk.name
        assert len(before) <= len(lines), disk.name


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "made")
    with durable.using(recorder):
        checkpoints.save(recorder.root / "checkpoints", 10, {"state": {"a": np.arange(500)}}, {"of": 1})
        recorder.mark()
    for promised, disk in crashes(recorder, tmp_path / "left"):
        found = checkpoints.listed(disk / "checkpoints")
        assert len(found) >= promised, disk.name
        assert [checkpoints.load(each).about["of"] for each in found] == [1] * len(found), disk.name


def test_setting_a_checkpoint_aside_and_pruning_touch_no_other(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "made")
    root = recorder.root / "checkpoints"
    with durable.using(recorder):
        first, *_ = [checkpoints.save(root, step, {"state": {"a": np.arange(step)}}, {}) for step in (1, 2, 3, 4)]
        recorder.mark()
        checkpoints.set_aside(first)
        checkpoints.prune(root)
    for promised, disk in crashes(recorder, tmp_path / "left"):
        found = checkpoints.listed(disk / "checkpoints")
        assert not promised or [checkpoints.load(each).about["step"] for each in found[:2]] == [4, 3], disk.name


def test_sealed_rows_are_read_back_and_discarded_ones_were_not_needed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(replay, "ROWS", 64)
    recorder = Recorder(tmp_path / "made")
    memory, states = empty(runs.CAPACITY), []
    with durable.using(recorder):
        for number in (1, 2, 3):
            fill(memory, range((number - 1) * runs.PER_SAVE, number * runs.PER_SAVE))
            memory.seal(recorder.root / "replay")
            states.append({name: values.copy() for name, values in memory.state().items()})
            recorder.mark()
            memory.discard(recorder.root / "replay", memory.inserted)
    for promised, disk in crashes(recorder, tmp_path / "left"):
        for state in states[max(0, promised - 1) : promised]:
            back = empty(runs.CAPACITY)
            assert back.restore(disk / "replay", state) == [], disk.name
            fill(back, range(back.inserted // STREAMS, back.inserted // STREAMS + runs.PER_SAVE))
            back.seal(disk / "replay")
            assert empty(runs.CAPACITY).restore(disk / "replay", back.state()) == [], disk.name
