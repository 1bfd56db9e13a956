"""A disk that refuses, at every operation and with every reason: one sentence, an exit code, and nothing lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from data.numbered import STREAMS, empty, fill

from reliability import runs
from reliability.disks import Recorder
from reverie.data import durable
from reverie.errors import UserError
from reverie.run import log, manifest
from reverie.run.run import Run

REASONS = {
    errno.ENOSPC: (28, "free some space and run again"),
    errno.EIO: (74, "check it, or choose another one"),
    errno.EROFS: (74, "Choose another folder, or change its permissions"),
    errno.EACCES: (74, "Choose another folder, or change its permissions"),
    errno.EMFILE: (74, "raise the limit"),
}
ROOT = Path(__file__).parents[1]

named = pytest.mark.parametrize("reason", REASONS, ids=lambda number: errno.errorcode[number])
lasting = pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[runs.Snapshot]]:
    """A run with two checkpoints; the third lets go of the first."""
    folder = tmp_path_factory.mktemp("sound")
    return folder, runs.made(folder / "run", 2)


def check(refusal: UserError, reason: int) -> None:
    code, remedy = REASONS[reason]
    assert refusal.code == code
    assert remedy in str(refusal)
    assert "\n" not in str(refusal)


def whole(path: Path) -> bool:
    """Whether a log consists of whole JSON lines."""
    lines = path.read_bytes().split(b"\n")
    return lines[-1] == b"" and all(isinstance(json.loads(line), dict) for line in lines[:-1])


@named
@lasting
def test_a_refusal_anywhere_in_a_save_leaves_the_last_checkpoint(
    reason: int, lasting: bool, tmp_path: Path, sound: tuple[Path, list[runs.Snapshot]]
) -> None:
    refused = 0
    for at in count():
        root = Path(shutil.copytree(sound[0], tmp_path / f"{at}"))
        with durable.using(Recorder(root)), Run.open(root / "run") as run:
            _, memory = runs.restored(run)
            with durable.using(Recorder(root, refuse_at=at, error=reason, lasting=lasting)):
                try:
                    promised = runs.advance(run, memory, 3)
                except UserError as error:
                    check(error, reason)
                else:
                    break
            refused += 1
        assert whole(root / "run" / log.FILE)
        with durable.using(Recorder(root)), Run.open(root / "run") as run:
            found, memory = runs.restored(run)
            assert found is not None
            assert found == sound[1][1] or found.counters == {"updates": 3}
            assert runs.losses(root / "run") == ""
            following = runs.advance(run, memory, found.counters["updates"] + 1)
            assert runs.restored(run)[0] == following
    assert promised.counters == {"updates": 3}
    assert refused > 25


@named
def test_after_a_refusal_the_same_process_may_save_again(
    reason: int, tmp_path: Path, sound: tuple[Path, list[runs.Snapshot]]
) -> None:
    for at in count(runs.LINES):
        root = Path(shutil.copytree(sound[0], tmp_path / f"{at}"))
        with durable.using(Recorder(root)), Run.open(root / "run") as run:
            _, memory = runs.restored(run)
            with durable.using(Recorder(root, refuse_at=at, error=reason)):
                try:
                    runs.advance(run, memory, 3)
                except UserError as error:
                    check(error, reason)
                else:
                    break
            run.save(9 * runs.PER_SAVE, runs.state(9), {"updates": 9}, memory)
            promised = runs.snapshot(run, memory, runs.state(9), {"updates": 9})
            assert runs.restored(run)[0] == promised, at
            assert runs.losses(root / "run") == "", at
    assert at > 25


@named
@lasting
def test_a_refusal_while_sealing_loses_no_row(
    reason: int, lasting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reverie.data.replay.ROWS", 64)
    for at in count():
        folder = tmp_path / f"{at}"
        with durable.using(Recorder(folder, refuse_at=at, error=reason, lasting=lasting)):
            memory = fill(empty(), range(100))
            try:
                memory.seal(folder / "replay")
            except UserError as error:
                check(error, reason)
            else:
                break
        with durable.using(Recorder(folder)):
            fill(memory, range(100, 120))
            memory.seal(folder / "replay")
            back = empty()
            assert back.restore(folder / "replay", memory.state()) == [], at
            assert back.inserted == 120 * STREAMS
    assert at > 20


@named
@lasting
def test_a_refusal_leaves_the_old_manifest_or_the_new(reason: int, lasting: bool, tmp_path: Path) -> None:
    for at in count():
        folder = tmp_path / f"{at}"
        manifest.write(folder, manifest.completed(runs.ABOUT))
        with durable.using(Recorder(folder, refuse_at=at, error=reason, lasting=lasting)):
            try:
                manifest.write(folder, manifest.completed(runs.ABOUT | {"steps": 2000}))
            except UserError as error:
                check(error, reason)
            else:
                break
        assert manifest.read(folder)["steps"] in (1000, 2000)
    assert at == 4


@named
@pytest.mark.parametrize("taken_back", [True, False])
def test_a_line_that_is_half_written_is_taken_back_or_ended(
    reason: int, taken_back: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below our own operations: the system writes a few bytes, then refuses (and, worse, refuses to take them back)."""

    def refuse(*given: object) -> None:
        raise OSError(reason, os.strerror(reason))

    def write_some(descriptor: int, content: memoryview) -> int:
        monkeypatch.setattr(os, "write", refuse)
        return write(descriptor, content[:7])

    write = os.write
    path = tmp_path / log.FILE
    file = log.Log(path)
    file.append({"step": 1})
    monkeypatch.setattr(os, "write", write_some)
    if not taken_back:
        monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(UserError) as refusal:
        file.append({"step": 2})
    check(refusal.value, reason)
    monkeypatch.undo()
    assert whole(path) == taken_back
    file.append({"step": 3})
    assert [entry["step"] for entry in log.read(path)] == [1, 3]


# --------------------------------------------------------------------------------------------------------- for real


def start(way: str, folder: Path, *before: str) -> "subprocess.CompletedProcess[str]":
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "JAX_PLATFORMS": "cpu"}
    command = [*before, sys.executable, "-m", "reliability.full_disk", str(folder), way]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    done = start("limited", tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["code"] == 74
    assert "File too large" in answer["message"]
    assert {name: answer[name] for name in ("old", "new", "whole")} == {"old": True, "new": True, "whole": True}


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    mount = [
        "unshare",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size=4m tmpfs {tmp_path} && "$@"',
        "sh",
    ]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = start("filled", tmp_path, *mount)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["code"] == 28
    assert "free some space" in answer["message"]
    assert {name: answer[name] for name in ("old", "new", "whole")} == {"old": True, "new": True, "whole": True}
