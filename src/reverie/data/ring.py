"""Rows by number, the newest kept: arrays that take memory only as rows arrive.

Row `id` (0, 1, 2, ... in the order of insertion) lies at `id % size`. Address space for all rows is reserved at once,
but the operating system gives out memory page by page when a row is first written: an empty ring of a hundred gigabytes
costs nothing, nothing is ever copied to grow, and reading many rows is one `take` per array.
"""

import mmap
from collections.abc import Mapping
from typing import Any

import numpy as np

from reverie.data import tensors
from reverie.errors import UserError

Fields = Mapping[str, tuple[tuple[int, ...], str]]
"""Name -> shape of one row and dtype."""


def bytes_per_row(fields: Fields) -> int:
    """Memory that one row takes."""
    return sum(int(np.prod(shape, dtype=np.int64)) * tensors.dtype(name).itemsize for shape, name in fields.values())


class Ring:
    """The newest `size` rows of several arrays.

    Args:
        fields: what a row consists of.
        size: rows kept.
    """

    def __init__(self, fields: Fields, size: int) -> None:
        self.size = size
        self.arrays = {name: _reserve((size, *shape), tensors.dtype(kind)) for name, (shape, kind) in fields.items()}

    def put(self, first: int, rows: Mapping[str, np.ndarray]) -> None:
        """Store rows `first`, `first + 1`, ...; checks names, shapes and dtypes, since a silent cast would be kept."""
        self._check(rows)
        for name, values in rows.items():
            array = self.arrays[name]
            for begin, end, slot in self._spans(first, first + len(values)):
                array[slot : slot + end - begin] = values[begin - first : end - first]

    def take(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Copies of the rows, shaped [*ids.shape, ...]."""
        slots = ids % self.size
        return {name: array.take(slots, axis=0) for name, array in self.arrays.items()}

    def overwrite(self, ids: np.ndarray, rows: Mapping[str, np.ndarray]) -> None:
        """New values for rows that are there; `ids` without repetition."""
        self._check(rows)
        slots = ids % self.size
        for name, array in self.arrays.items():
            array[slots] = rows[name]

    def used(self, end: int) -> dict[str, np.ndarray]:
        """Views of the memory that holds rows, when rows 0 ... end - 1 have been stored: in slot order."""
        return {name: array[: min(end, self.size)] for name, array in self.arrays.items()}

    def _check(self, rows: Mapping[str, np.ndarray]) -> None:
        if rows.keys() != self.arrays.keys():
            raise ValueError(f"rows have the arrays {sorted(rows)}; declared are {sorted(self.arrays)}")
        for name, values in rows.items():
            array = self.arrays[name]
            if values.shape[1:] != array.shape[1:] or values.dtype != array.dtype:
                raise ValueError(
                    f"{name!r}: rows are {values.dtype}{list(values.shape[1:])}, "
                    f"declared is {array.dtype}{list(array.shape[1:])}"
                )

    def _spans(self, first: int, end: int) -> list[tuple[int, int, int]]:
        """Consecutive rows cut where the ring wraps: (begin, end, slot of begin)."""
        spans = []
        while first < end:
            slot = first % self.size
            stop = min(end, first + self.size - slot)
            spans.append((first, stop, slot))
            first = stop
        return spans


def _reserve(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An array of zeros whose memory is given out page by page, on the first write."""
    count = int(np.prod(shape, dtype=np.int64))
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000 if _is_linux() else 0)
    try:
        memory = mmap.mmap(-1, max(1, count * dtype.itemsize), flags=flags)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"This machine will not reserve {count * dtype.itemsize / 2**30:.1f} GiB for the replay. "
            "Choose a smaller replay capacity.",
        ) from error
    return np.frombuffer(memory, dtype, count).reshape(shape)


def _is_linux() -> bool:
    return hasattr(mmap, "MAP_POPULATE")
