"""A chunk counts only with its line and its checksum."""

import json
from pathlib import Path

import numpy as np
import pytest

from reverie.data import durable
from reverie.data.chunks import MANIFEST, ROWS, Chunks


def rows(first: int, end: int) -> dict[str, np.ndarray]:
    return {"a": np.arange(first, end), "b": np.zeros((end - first, 2), np.uint8)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chunks = Chunks(tmp_path / "replay")
    for first in (0, 10, 20):
        chunks.append(first, rows(first, first + 10))
    return chunks.folder


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_appended_is_read(folder: Path) -> None:
    chunks = Chunks(folder)
    assert [(chunk.first, chunk.end) for chunk in chunks.listed] == [(0, 10), (10, 20), (20, 30)]
    np.testing.assert_array_equal(chunks.read(chunks.listed[1])["a"], np.arange(10, 20))


def test_keep_deletes_the_rest(folder: Path) -> None:
    Chunks(folder).keep(11)
    assert files(folder) == ["00000000000010.safetensors", "00000000000020.safetensors", MANIFEST]
    assert [chunk.first for chunk in Chunks(folder).listed] == [10, 20]


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_chunk_is_refused_and_set_aside(folder: Path, damage: str) -> None:
    path = folder / "00000000000010.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    {
        "flip": lambda: path.write_bytes(content),
        "truncate": lambda: path.write_bytes(content[:-1]),
        "delete": path.unlink,
    }[damage]()
    chunks = Chunks(folder)
    with pytest.raises((ValueError, OSError), match=r"checksum|No such file"):
        chunks.read(chunks.listed[1])
    chunks.set_aside(chunks.listed[1])
    assert [chunk.first for chunk in Chunks(folder).listed] == [0, 20]
    assert ("00000000000010.bad" in files(folder)) == (damage != "delete")


def test_without_the_check_only_the_size_is_compared(folder: Path) -> None:
    chunks, path = Chunks(folder), folder / "00000000000010.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"1")
    assert chunks.read(chunks.listed[1], check=False)["b"][-1].tolist() == [0, 49]
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match="checksum"):
        chunks.read(chunks.listed[1], check=False)


def test_a_line_that_lies_about_the_rows_is_refused(folder: Path) -> None:
    chunks = Chunks(folder)
    with pytest.raises(ValueError, match="do not have 5 rows"):
        chunks.read(chunks.listed[0]._replace(end=5))


def test_lines_that_make_no_sense_are_left_out(folder: Path) -> None:
    path = folder / MANIFEST
    good = path.read_bytes().splitlines()
    hostile = json.loads(good[0]) | {"file": "../../secret.safetensors"}
    lines = [good[0], b"{", b"\xff\xfe", b"[1]", json.dumps(hostile).encode(), b'{"file": 1}', good[2]]
    path.write_bytes(b"\n".join(lines) + b"\n" + good[1][:20])
    assert [chunk.first for chunk in Chunks(folder).listed] == [0, 20]


def test_tidy_deletes_what_a_crash_left(folder: Path) -> None:
    durable.write(folder / "00000000000099.safetensors", b"lost its line in a crash")
    (folder / f"{durable.TEMPORARY}x").write_bytes(b"")
    Chunks(folder).tidy(0, 20)
    assert files(folder) == [f"{first:014d}.safetensors" for first in (0, 10)] + [MANIFEST]
    assert [chunk.first for chunk in Chunks(folder).listed] == [0, 10]


def test_tidy_deletes_what_had_been_dropped(folder: Path) -> None:
    """A crash between the shortened list and the last file."""
    lines = (folder / MANIFEST).read_bytes().splitlines(keepends=True)
    (folder / MANIFEST).write_bytes(lines[2])
    Chunks(folder).tidy(20 + ROWS, 20 + ROWS)
    assert files(folder) == ["00000000000020.safetensors", MANIFEST]


@pytest.mark.parametrize("end", ["two", "29"])
def test_tidy_sets_aside_a_chunk_whose_line_is_damaged(folder: Path, end: str) -> None:
    path = folder / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"end": 20', f'"end": {end}'.encode()))
    Chunks(folder).tidy(0, 28)
    assert files(folder) == ["00000000000000.safetensors", "00000000000010.bad", "00000000000020.bad", MANIFEST]
