"""Whether stored experience is sound: every chunk read, every checksum compared, every row held against the rules.

A fault is what should not be: a chunk that is missing, damaged or unlike the others, numbers that are not finite, and
rows that break the drawing of time in `types`. A note is what may be: gaps that the checkpoint knows, resets that
nobody announced, what a crash left or whoever trains is just writing. Nothing is changed, and no lock is held.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reverie.data import durable
from reverie.data.chunks import MANIFEST, Chunk, Chunks
from reverie.run.stored import Rows, Stored, Trouble, reason, streams_of

_SHOWN = 10
"""Gaps that are noted one by one."""


class Audit(NamedTuple):
    """What was found."""

    run: str
    chunks: int
    rows: int
    """Those that are data, and could be read."""
    faults: list[Trouble]
    """What should not be."""
    notes: list[str]
    """What may be."""

    @property
    def sound(self) -> bool:
        return not self.faults

    def to_json(self) -> dict[str, Any]:
        """What `reverie data verify --json` prints."""
        return {**self._asdict(), "sound": self.sound, "faults": [fault._asdict() for fault in self.faults]}


def audit(run: str | Path) -> Audit:
    """Reads all that a run keeps."""
    stored = Stored(run)
    listed = list(stored.chunks.listed)
    faults = [trouble for trouble in stored.troubles if trouble.where]
    notes = [trouble.what for trouble in stored.troubles if not trouble.where]
    faults += [Trouble(None, what) for what in (*_streams(stored), *_missing(stored, listed))]
    for chunk in listed:
        faults += [Trouble(chunk.file, what) for what in _wrong_in(stored, chunk)]
    faults += [Trouble(None, what) for what in _wrong_between(stored)]
    notes += [*_resets(stored), *_gaps(stored), *_strays(stored)]
    return Audit(str(run), len(listed), len(stored.marks["ids"]), faults, notes)


def _streams(stored: Stored) -> Iterator[str]:
    """What the manifest and the checkpoint disagree on."""
    said = streams_of(stored.run)
    if said != stored.streams:
        yield f"the checkpoint is of {stored.streams} environments, the manifest says {said}"


def _missing(stored: Stored, listed: list[Chunk]) -> Iterator[str]:
    """Rows that no chunk holds, and chunks that overlap."""
    for before, after in pairwise(listed):
        if after.first < before.end:
            yield f"{after.file} begins before {before.file} ends"
    known = stored.begin
    for first, end in [*((chunk.first, chunk.end) for chunk in listed), (stored.end, stored.end)]:
        if known < min(first, stored.end) and not _all_lost(stored, known, min(first, stored.end)):
            yield f"rows {known} to {min(first, stored.end) - 1} are in no chunk"
        known = max(known, end)


def _all_lost(stored: Stored, begin: int, end: int) -> bool:
    """Whether the checkpoint knows that rows are gone."""
    first, stop, stream = stored.gaps.T
    earliest, latest = (-((stream - row) // stored.streams) for row in (begin, end))
    return int(np.maximum(np.minimum(stop, latest) - np.maximum(first, earliest), 0).sum()) >= end - begin


def _wrong_in(stored: Stored, chunk: Chunk) -> Iterator[str]:
    """What is wrong with one chunk."""
    try:
        rows = stored.read(chunk)
    except (OSError, ValueError) as error:
        if stored.lists(chunk):  # or whoever trains has just deleted it
            yield reason(error)
        return
    ids = np.arange(chunk.first, chunk.end)
    kept = (ids >= stored.begin) & (ids < stored.end) & ~stored.lost(ids)
    for what, broken in _rules(rows):
        wrong = ids[broken & kept]
        if len(wrong):
            yield f"{what} in {_named(wrong)}"


def _rules(rows: Rows) -> Iterator[tuple[str, np.ndarray]]:
    """What may be in no row, and in which it is."""
    for name, values in sorted(rows.items()):
        if values.dtype.kind == "f":
            finite = np.isfinite(values).reshape(len(values), -1)
            yield f"{name} is not finite", np.logical_not(finite.all(axis=1))
    last = rows["terminated"] | rows["truncated"]
    yield "a reward where an episode begins", rows["is_first"] & (rows["reward"] != 0)
    yield "an action where an episode ends", last & (rows["action"] != 0).any(axis=1)


def _wrong_between(stored: Stored) -> Iterator[str]:
    """What neighbours in a stream may not be."""
    ids, last, is_first = _neighbours(stored)
    wrong = ids[last & ~is_first]
    if len(wrong):
        yield f"the episode before has ended, and none begins, in {_named(wrong)}"


def _resets(stored: Stored) -> Iterator[str]:
    """Of environments that failed, or were cut when the run was resumed."""
    ids, last, is_first = _neighbours(stored)
    begun = ids[is_first & ~last]
    if len(begun):
        yield f"an episode begins although the one before has no last row, in {_named(begun)}"


def _neighbours(stored: Stored) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of rows whose predecessor in the stream is here: their numbers, whether that was a last one, and is_first."""
    ids, _, terminated, truncated, is_first = stored.marks.values()
    follows = np.diff(ids) == stored.streams
    return ids[1:][follows], (terminated | truncated)[:-1][follows], is_first[1:][follows]


def _gaps(stored: Stored) -> Iterator[str]:
    """What the checkpoint knows to be no data."""
    for first, end, stream in stored.gaps[:_SHOWN].tolist():
        begin, last = (time * stored.streams + stream for time in (first, end - 1))
        yield f"gap: {end - first} rows of stream {stream}, {begin} to {last}"
    if len(stored.gaps) > _SHOWN:
        yield f"and {len(stored.gaps) - _SHOWN} more gaps"


def _strays(stored: Stored) -> Iterator[str]:
    """Files and rows that do not count."""
    chunks = Chunks(stored.chunks.folder)  # as it is by now
    if chunks.listed and chunks.listed[-1].end > stored.end:
        yield f"rows {stored.end} to {chunks.listed[-1].end - 1} are newer than the checkpoint, and not looked into"
    names = {chunk.file for chunk in chunks.listed}
    for path in sorted(chunks.folder.iterdir()):
        if path.suffix == ".bad":
            yield f"{path.name} was set aside when the run was resumed"
        elif path.suffix == ".safetensors" and path.name not in names and not path.name.startswith(durable.TEMPORARY):
            yield f"{path.name} has no line in {MANIFEST}"


def _named(ids: np.ndarray) -> str:
    return f"row {ids[0]}" if len(ids) == 1 else f"{len(ids)} rows, the first of them {ids.min()}"
