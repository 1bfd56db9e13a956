"""An audit finds what is wrong, names where, and leaves all as it was."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from run.kept import chunk, described, fill, flip, kept, replay, saved

from reverie.data.chunks import MANIFEST, Chunks
from reverie.run import checkpoints, lock
from reverie.run.audit import audit


def faults(run: Path) -> list[str]:
    return [str(fault) for fault in audit(run).faults]


def changed(name: str, time: int, value: float):
    """What puts a value into a row of stream 1."""

    def change(now: int, step, action: np.ndarray) -> None:
        if now == time:
            array = action if name == "action" else getattr(step, name, step.observation.get(name))
            array[1] = value

    return change


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_sound_rows_are_sound_and_stay_as_they_are(tmp_path: Path) -> None:
    before = snapshot(kept(tmp_path))
    held = lock.Lock(tmp_path)  # somebody is training
    found = audit(tmp_path)
    held.close()
    assert (found.sound, found.rows, found.chunks, found.notes) == (True, 60, 3, [])
    assert json.loads(json.dumps(found.to_json()))["sound"] is True
    (tmp_path / lock.FILE).unlink()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("place", [9, 400, -1])
def test_a_flipped_bit(tmp_path: Path, place: int) -> None:
    flip(chunk(kept(tmp_path), 20), place)
    assert faults(tmp_path) == ["00000000000020.safetensors: checksum differs"]
    assert audit(tmp_path).rows == 40


def test_a_missing_file(tmp_path: Path) -> None:
    chunk(kept(tmp_path), 20).unlink()
    assert faults(tmp_path) == ["00000000000020.safetensors: No such file or directory"]


@pytest.mark.parametrize(("line", "rows"), [(0, "0 to 19"), (1, "20 to 39"), (2, "40 to 59")])
def test_a_missing_line(tmp_path: Path, line: int, rows: str) -> None:
    path = kept(tmp_path) / "replay" / MANIFEST
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:line] + lines[line + 1 :]))
    found = audit(tmp_path)
    assert [str(fault) for fault in found.faults] == [f"rows {rows} are in no chunk"]
    assert found.notes == [f"{line * 20:014d}.safetensors has no line in {MANIFEST}"]


@pytest.mark.parametrize(
    ("name", "time", "value", "message"),
    [
        ("state", 12, np.nan, "00000000000020.safetensors: observation.state is not finite in row 25"),
        ("reward", 12, -np.inf, "00000000000020.safetensors: reward is not finite in row 25"),
        ("reward", 10, 1.0, "00000000000020.safetensors: a reward where an episode begins in row 21"),
        ("action", 14, 2, "00000000000020.safetensors: an action where an episode ends in row 29"),
        ("is_first", 15, False, "the episode before has ended, and none begins, in row 31"),
    ],
)
def test_a_row_that_breaks_a_rule(tmp_path: Path, name: str, time: int, value: float, message: str) -> None:
    assert faults(kept(tmp_path, change=changed(name, time, value))) == [message]


def test_several_rows_are_counted(tmp_path: Path) -> None:
    def change(time: int, step, action: np.ndarray) -> None:
        step.observation["state"][:] = np.nan if time > 26 else 0

    kept(tmp_path, change=change)
    assert faults(tmp_path) == [
        "00000000000040.safetensors: observation.state is not finite in 6 rows, the first of them 54"
    ]


def test_a_reset_that_nobody_announced_is_a_note(tmp_path: Path) -> None:
    found = audit(saved(described(tmp_path), fill(fill(replay(), range(3)), range(6))))
    assert found.sound
    assert found.notes == ["an episode begins although the one before has no last row, in 2 rows, the first of them 6"]


def test_gaps_that_the_checkpoint_knows_are_notes(tmp_path: Path) -> None:
    stored = fill(replay(), range(4))
    fill(stored, range(4, 6), changed("state", 5, np.nan), present=np.array([True, False]))
    found = audit(saved(described(tmp_path), fill(stored, range(6, 10))))
    assert found.sound
    assert found.rows == 18
    assert found.notes == ["gap: 2 rows of stream 1, 9 to 11"]


def test_rows_that_a_resumed_run_has_lost_are_notes(tmp_path: Path) -> None:
    flip(chunk(kept(tmp_path), 20))
    (folder,) = checkpoints.listed(tmp_path / checkpoints.FOLDER)
    stored = replay()
    stored.restore(tmp_path / "replay", checkpoints.load(folder).parts["replay"])
    found = audit(saved(tmp_path, fill(stored, range(30, 35))))
    assert found.sound
    assert found.rows == 50
    assert found.notes[:2] == ["gap: 10 rows of stream 0, 20 to 38", "gap: 10 rows of stream 1, 21 to 39"]
    assert "00000000000020.bad was set aside when the run was resumed" in found.notes


def test_many_gaps_are_counted(tmp_path: Path) -> None:
    stored = replay()
    for time in range(30):
        fill(stored, [time], present=np.array([True, time % 2 == 0]))
    notes = audit(saved(described(tmp_path), stored)).notes
    assert len(notes) == 11
    assert notes[-1] == "and 5 more gaps"


def test_rows_to_come_are_a_note(tmp_path: Path) -> None:
    stored = fill(replay(), range(5))
    saved(described(tmp_path), stored)
    fill(stored, range(5, 10)).seal(tmp_path / "replay")
    found = audit(tmp_path)
    assert found.sound
    assert found.notes == ["rows 10 to 19 are newer than the checkpoint, and not looked into"]
    flip(chunk(tmp_path, 10))
    assert not audit(tmp_path).sound, "but their checksum is"


def test_checkpoints(tmp_path: Path) -> None:
    (folder,) = checkpoints.listed(kept(tmp_path) / checkpoints.FOLDER)
    flip(folder / "replay.safetensors")
    found = audit(tmp_path)
    assert [fault.where for fault in found.faults] == [f"checkpoint {folder.name}"]
    assert "None of its checkpoints can be read" in found.notes[0]
    shutil.rmtree(tmp_path / checkpoints.FOLDER)
    assert audit(tmp_path).sound
    assert "no checkpoint yet" in audit(tmp_path).notes[0]


def test_a_manifest_of_other_environments(tmp_path: Path) -> None:
    described(kept(tmp_path), 3)
    assert faults(tmp_path) == ["the checkpoint is of 2 environments, the manifest says 3"]


def test_chunks_that_overlap(tmp_path: Path) -> None:
    rows = Chunks(kept(tmp_path) / "replay").read(Chunks(tmp_path / "replay").listed[0])
    Chunks(tmp_path / "replay").append(10, rows)
    assert "00000000000010.safetensors begins before 00000000000000.safetensors ends" in faults(tmp_path)


def test_what_is_deleted_meanwhile_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Chunks(kept(tmp_path) / "replay").listed
    Chunks(tmp_path / "replay").keep(20)
    monkeypatch.setattr("reverie.run.stored.Stored.lists", lambda self, chunk: chunk != listed[0])
    path = tmp_path / "replay" / MANIFEST
    path.write_text(json.dumps(listed[0]._asdict()) + "\n" + path.read_text())
    assert audit(tmp_path).sound
