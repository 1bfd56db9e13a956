"""`metrics.jsonl`: one flat JSON object per line, whole lines only.

    {"step": 12000, "seconds": 41.5, "loss": 3.25, ...}

`step` counts simulator steps, `seconds` the time the run has spent over all restarts. Numbers that JSON does not know
are the strings "NaN", "Infinity" and "-Infinity" (any other string stays what it is). A torn last line is no line.
"""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reverie.data import durable, objects

FILE = "metrics.jsonl"
EVALUATIONS = "evaluations.jsonl"

_logger = logging.getLogger("reverie")

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Log:
    """A metrics file that is written; one writer.

    Args:
        path: of the file; made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def repair(self) -> None:
        """Remove a torn last line, before anything is appended to it."""
        if self.path.exists():
            self.cut(sum(len(line) + 1 for line in durable.whole_lines(self.path)))

    @property
    def offset(self) -> int:
        """Bytes written: where a checkpoint says that the log was."""
        return self.path.stat().st_size if self.path.exists() else 0

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one line."""
        durable.append_line(self.path, json.dumps({name: _plain(name, value) for name, value in entry.items()}))

    def cut(self, offset: int) -> None:
        """Forget what was written after `offset`; says so if that much is not there any more."""
        if self.offset > offset:
            durable.cut(self.path, offset)
        elif self.offset < offset:
            _logger.warning("%s has lost the last %d of its %d bytes", self.path, offset - self.offset, offset)

    def sync(self) -> None:
        """Wait until all lines are on the disk."""
        if self.path.exists():
            durable.sync(self.path)


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines; one that is no JSON object is left out."""
    entries = []
    for line in durable.whole_lines(path) if path.exists() else ():
        try:
            entry = objects.parse(line)
        except ValueError:
            continue
        entries.append(
            {name: _SPECIAL.get(value, value) if isinstance(value, str) else value for name, value in entry.items()}
        )
    return entries


def evaluations(run: Path) -> list[dict[str, Any]]:
    """Of a run, by rising steps: a snapshot may have been evaluated after what came of it."""
    return sorted(read(run / EVALUATIONS), key=lambda entry: it if isinstance(it := entry.get("step"), int) else 0)


def _plain(name: str, value: Any) -> Any:
    """A scalar of Python, NumPy or jax as JSON has it."""
    if isinstance(value, str | bool | int):
        return value
    if np.ndim(value) != 0:
        raise ValueError(f"log: {name!r} has shape {np.shape(value)}; only single numbers can be logged")
    array = np.asarray(value)
    number = array.item() if array.dtype.kind in "biu" else float(array)
    if isinstance(number, float) and not math.isfinite(number):
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return number
