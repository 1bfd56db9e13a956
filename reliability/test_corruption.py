"""What is damaged on the disk is never loaded: it is named, set aside, and the run goes on from what is sound.

200 seeded damages of checkpoints and replay chunks, and as many of the small files beside them.
"""

import errno
import io
import json
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.numbered import STREAMS, empty, fill

from reliability import damage, runs
from reliability.commands import Method, line, reverie
from reliability.disks import Recorder
from reverie.data import durable
from reverie.errors import UserError
from reverie.run import log, manifest
from reverie.run import runs as runs_of
from reverie.run.run import Run

DAMAGES = range(100)
SAVES = 3
CAPACITY = 300
"""Rows that lie in the last two chunks."""

restored = partial(runs.restored, capacity=CAPACITY)
NEWEST = f"{SAVES * runs.PER_SAVE:012d}"
OLDER = f"{(SAVES - 1) * runs.PER_SAVE:012d}"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[runs.Snapshot]]:
    """A run with two checkpoints and the chunks of both, and what each checkpoint promises."""
    folder = tmp_path_factory.mktemp("sound") / "run"
    return folder, runs.made(folder, SAVES, capacity=CAPACITY)


@pytest.fixture
def folder(sound: tuple[Path, list[runs.Snapshot]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound[0], tmp_path / "run"))


@pytest.fixture(autouse=True)
def without_waiting(tmp_path: Path):
    with durable.using(Recorder(tmp_path)):
        yield


def spoil(path: Path, random: np.random.Generator) -> str:
    """Damage a file; how."""
    way = damage.EVERY[int(random.integers(len(damage.EVERY)))]
    path.write_bytes(way(path.read_bytes(), random))
    return way.__name__


def pick(paths: list[Path], random: np.random.Generator) -> Path:
    return sorted(paths)[int(random.integers(len(paths)))]


def go_on(run: Run, memory: runs.Replay, number: int) -> None:
    """Training goes on, and its checkpoint gives back what it had, the gap included."""
    following = runs.advance(run, memory, number)
    assert restored(run)[0] == following


# ------------------------------------------------------------------------------------------------------ checkpoints


@pytest.mark.parametrize("seed", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    seed: int, folder: Path, sound: tuple[Path, list[runs.Snapshot]], caplog: pytest.LogCaptureFixture
) -> None:
    random = np.random.default_rng(seed)
    spoilt = pick(list((folder / "checkpoints" / NEWEST).iterdir()), random)
    spoil(spoilt, random)
    with caplog.at_level(logging.WARNING), Run.open(folder) as run:
        found, memory = restored(run)
        assert found == sound[1][SAVES - 2]
        go_on(run, memory, SAVES)
    assert f"checkpoint {NEWEST} cannot be used: " in caplog.text
    assert (folder / "checkpoints" / f"{NEWEST}.bad" / spoilt.name).exists()


@pytest.mark.parametrize("name", ["state.safetensors", "replay.safetensors", "manifest.json"])
def test_a_file_of_another_checkpoint_is_no_part_of_this_one(
    name: str, folder: Path, sound: tuple[Path, list[runs.Snapshot]]
) -> None:
    shutil.copy(folder / "checkpoints" / OLDER / name, folder / "checkpoints" / NEWEST / name)
    with Run.open(folder) as run:
        assert restored(run)[0] == sound[1][SAVES - 2]


def test_with_every_checkpoint_damaged_the_error_is_named_and_nothing_is_touched(folder: Path) -> None:
    random = np.random.default_rng(0)
    for name in (NEWEST, OLDER):
        spoil(folder / "checkpoints" / name / "state.safetensors", random)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    with Run.open(folder) as run, pytest.raises(UserError, match=r"None of the 2 checkpoints.*--new") as refusal:
        restored(run)
    assert refusal.value.code == 64
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


@pytest.mark.parametrize("lack", [PermissionError(13, "Permission denied"), OSError(24, "Too many open files")])
def test_a_sound_checkpoint_that_cannot_be_opened_just_now_is_not_set_aside(
    lack: OSError, folder: Path, sound: tuple[Path, list[runs.Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *given: object, **named: object) -> object:
        if path.suffix == ".safetensors":
            raise lack
        return whole(path, *given, **named)

    whole = Path.open
    with Run.open(folder) as run:
        for only in ("checkpoints", "replay"):
            monkeypatch.setattr(
                Path,
                "open",
                lambda path, *given, only=only, **named: (refuse if only in path.parts else whole)(
                    path, *given, **named
                ),
            )
            with pytest.raises(UserError, match=r"Cannot read .*safetensors") as refusal:
                restored(run)
            assert refusal.value.code == 74
            monkeypatch.undo()
        assert restored(run)[0] == sound[1][SAVES - 1]


def test_a_checkpoint_that_the_disk_cannot_read_gives_way_to_the_one_before(
    folder: Path, sound: tuple[Path, list[runs.Snapshot]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad sector of a file that can be opened, and mapped."""

    class Bad(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    def opened(path: Path, *given: Any, **named: Any) -> Any:
        if named.get("buffering") == 0 and path.name == "state.safetensors" and NEWEST in path.parts:
            tried.append(path)
            return Bad(path, *given)
        return whole(path, *given, **named)

    whole, tried = Path.open, list[Path]()
    monkeypatch.setattr(Path, "open", opened)
    with Run.open(folder) as run:
        assert restored(run)[0] == sound[1][SAVES - 2]
    assert tried


# ----------------------------------------------------------------------------------------------------------- replay


def files(folder: Path) -> set[str]:
    """The chunks there are, those set aside included."""
    return {path.stem for path in (folder / "replay").iterdir() if path.suffix in (".safetensors", ".bad")}


def check_the_gap(folder: Path, sound: tuple[Path, list[runs.Snapshot]], *, whole_is_possible: bool = False) -> None:
    """The newest checkpoint, less the rows of a gap that is logged and that no window reaches into; and on it goes."""
    before = files(folder)
    promised = sound[1][SAVES - 1]
    with Run.open(folder) as run:
        found = run.restore(runs.state(0), memory := empty(CAPACITY))
        assert found is not None
        assert (found[1], float(found[0]["parameters"]["w"][0])) == (promised.counters, promised.value)
        assert files(folder) == before, "what may be sound is not deleted"
        lost = runs.lost_rows(memory)
        assert bool(lost) == ("lost" in runs.losses(folder))
        assert lost or whole_is_possible
        fill(memory, range(memory.inserted // STREAMS, memory.inserted // STREAMS + 10))
        ids, sequence = memory.draw(memory._next, 200, memory.inserted)
        assert not lost & set(ids.ravel().tolist())
        np.testing.assert_array_equal(sequence.observation["state"][..., 0], ids)
        go_on(run, memory, SAVES + 1)


def chunks(folder: Path) -> list[Path]:
    return sorted((folder / "replay").glob("*.safetensors"))


@pytest.mark.parametrize("seed", DAMAGES)
def test_a_damaged_chunk_is_set_aside_and_its_rows_are_a_gap(
    seed: int, folder: Path, sound: tuple[Path, list[runs.Snapshot]]
) -> None:
    random = np.random.default_rng(1000 + seed)
    spoilt = pick(chunks(folder)[-2:], random)
    spoil(spoilt, random)
    check_the_gap(folder, sound)
    assert spoilt.with_suffix(".bad").exists()
    assert not spoilt.exists()


def test_chunks_that_were_swapped_are_both_refused(folder: Path, sound: tuple[Path, list[runs.Snapshot]]) -> None:
    one, other = chunks(folder)[-2:]
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)
    check_the_gap(folder, sound)
    assert len(list((folder / "replay").glob("*.bad"))) == 2


@pytest.mark.parametrize("seed", DAMAGES)
def test_a_damaged_list_of_chunks_costs_rows_and_never_gives_wrong_ones(
    seed: int, folder: Path, sound: tuple[Path, list[runs.Snapshot]]
) -> None:
    spoil(folder / "replay" / "chunks.jsonl", np.random.default_rng(2000 + seed))
    check_the_gap(folder, sound, whole_is_possible=True)


# --------------------------------------------------------------------------------------------------- the small files


def said(path: Path) -> dict[str, Any] | None:
    """What JSON a file holds, or None."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


@pytest.mark.parametrize("seed", DAMAGES)
def test_a_damaged_manifest_is_refused_or_means_the_same(seed: int, folder: Path) -> None:
    path, before = folder / manifest.FILE, Run.open(folder).manifest
    whole = said(path)
    spoil(path, np.random.default_rng(3000 + seed))
    if said(path) == whole:  # white space
        assert Run.open(folder).manifest == before
    else:
        with pytest.raises(UserError, match=r"manifest\.json .*(Restore it|Take it out|Use the version)") as refusal:
            Run.open(folder)
        assert refusal.value.code == 64


@pytest.mark.parametrize("seed", DAMAGES)
def test_a_damaged_log_is_read_and_cut_and_written_on(
    seed: int, folder: Path, sound: tuple[Path, list[runs.Snapshot]], caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / log.FILE
    size = path.stat().st_size
    spoil(path, np.random.default_rng(4000 + seed))
    shorter = sum(len(line) + 1 for line in durable.whole_lines(path)) < size
    with caplog.at_level(logging.WARNING), Run.open(folder) as run:
        found, memory = restored(run)
        assert found is not None
        assert found._replace(logged=[]) == sound[1][SAVES - 1]._replace(logged=[])
        logged = found.logged
        following = runs.advance(run, memory, SAVES + 1)
        assert following.logged[: len(logged)] == logged
        assert len(following.logged) == len(logged) + 5
    assert ("has lost the last" in caplog.text) == shorter
    for entry in path.read_bytes().splitlines()[-5:]:
        assert json.loads(entry)["text"] == "x" * 200


# -------------------------------------------------------------------------------------------- a run of a real trainer


@pytest.fixture(scope="module")
def trained(method: Method, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    outcome = reverie(line(method, run, steps=600))
    assert outcome.code == 0, outcome.said
    return run


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("checkpoints/*/state.safetensors", "cannot be used"),
        ("checkpoints/*/replay.safetensors", "cannot be used"),
        ("checkpoints/*/manifest.json", "cannot be used"),
        ("replay/*.safetensors", "was set aside"),
    ],
)
def test_a_trainer_goes_on_from_what_is_sound(
    method: Method, trained: Path, tmp_path: Path, pattern: str, told: str
) -> None:
    """What is damaged is named, and the training reaches its end."""
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    newest = sorted(run.glob(pattern))[-1]
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    outcome = reverie(line(method, run, steps=700))
    assert outcome.code == 0, outcome.said
    assert told in outcome.said
    assert runs_of.describe(run)["steps"] >= 700
