"""The newest rows, found by number, in memory taken only as rows arrive."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from reverie.data import ring
from reverie.data.ring import Ring, bytes_per_row
from reverie.errors import UserError

FIELDS = {"a": ((2,), "float32"), "b": ((), "uint8")}


def rows(first: int, count: int) -> dict[str, np.ndarray]:
    numbers = np.arange(first, first + count)
    return {"a": np.stack([numbers, -numbers], -1).astype(np.float32), "b": (numbers % 256).astype(np.uint8)}


def test_the_newest_rows_are_found_by_number() -> None:
    store = Ring(FIELDS, 10)
    for first in range(0, 24, 4):
        store.put(first, rows(first, 4))
    ids = np.array([[14, 23], [20, 17]])
    taken = store.take(ids)
    np.testing.assert_array_equal(taken["a"][..., 0], ids)
    np.testing.assert_array_equal(taken["b"], ids)


def test_more_rows_than_fit_leave_the_last() -> None:
    store = Ring(FIELDS, 5)
    store.put(3, rows(3, 12))
    np.testing.assert_array_equal(store.take(np.arange(10, 15))["b"], np.arange(10, 15))


def test_overwrite() -> None:
    store = Ring(FIELDS, 5)
    store.put(0, rows(0, 8))
    store.overwrite(np.array([7, 4]), rows(40, 2))
    np.testing.assert_array_equal(store.take(np.arange(3, 8))["b"], [3, 41, 5, 6, 40])


def test_used_is_what_was_written() -> None:
    store = Ring(FIELDS, 5)
    store.put(0, rows(0, 3))
    np.testing.assert_array_equal(store.used(3)["b"], [0, 1, 2])
    assert len(store.used(9)["b"]) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.zeros((1, 2))}, "'a': rows are float64"),
        ({"a": np.zeros((1, 1), np.float32)}, r"declared is float32\[2\]"),
        ({"c": np.zeros(1)}, "declared are"),
    ],
)
def test_nothing_is_cast_or_broadcast(change: dict[str, np.ndarray], message: str) -> None:
    store = Ring(FIELDS, 5)
    with pytest.raises(ValueError, match=message):
        store.put(0, rows(0, 1) | change)
    with pytest.raises(ValueError, match=message):
        store.overwrite(np.array([0]), rows(0, 1) | change)


def test_bytes_per_row() -> None:
    assert bytes_per_row(FIELDS) == 9


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_is_taken_as_rows_arrive() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    before = resident()
    store = Ring({"a": ((1024,), "uint8")}, 2**24)
    assert resident() - before < 2**22, "16 GiB are reserved, none is taken"
    store.put(0, {"a": np.ones((2**13, 1024), np.uint8)})
    assert 2**23 <= resident() - before < 2**25


def test_a_ring_that_cannot_be_reserved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("cannot allocate memory")

    monkeypatch.setattr(ring.mmap, "mmap", refuse)
    with pytest.raises(UserError, match=r"2\.0 GiB for the replay.*smaller"):
        Ring({"a": ((2**20,), "uint8")}, 2**11)
