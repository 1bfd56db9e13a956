"""The experience that a run keeps on the disk, read a chunk at a time: nothing is changed, and nobody is waited for.

    stored = Stored("runs/doom")
    stored.pieces()         the rows, chunk by chunk, the oldest first
    stored.episodes         where episodes begin and end among them
    stored.sequence(3)      the rows of one of them, as `types` draws them

Row t of stream s has number t * streams + s. The newest checkpoint that can be read says which rows are data: those
that memory held, less its gaps (rows that stand for environments which had none, and rows that were lost). Rows that
came after it are not known yet. Without a checkpoint every row on the disk counts. What cannot be read is left out, and
`troubles` says why.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reverie.data.chunks import FOLDER, Chunk, Chunks
from reverie.data.replay import FLAGS, OBSERVATION, saved_counters
from reverie.errors import UserError
from reverie.run import checkpoints, manifest
from reverie.types import Sequence

_MARKS = {"ids": "int64", "reward": "float32", **dict.fromkeys(FLAGS, "bool")}
_NO_GAPS = np.empty((0, 3), np.int64)

Rows = dict[str, np.ndarray]
"""Arrays [row, ...] by name: `observation.*`, action, reward, terminated, truncated, is_first."""


class Trouble(NamedTuple):
    """What is wrong with what is stored, or has to be known of it."""

    where: str | None
    """The chunk or the checkpoint; None where it is about no single one."""
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class Episode(NamedTuple):
    """Consecutive rows of a stream that belong together, as far as they are here."""

    first: int
    """Number of its first row."""
    stream: int
    rows: int
    score: float
    """Sum of its rewards."""
    terminated: bool
    truncated: bool
    whole: bool
    """Whether it begins with a first row and ends with a last one. Others are cut: lost in part, or still running."""

    @property
    def length(self) -> int:
        """Its actions."""
        return self.rows - 1


class Stored:
    """The rows of a run.

    Args:
        run: its folder.
        check: compare the checksum of every chunk, so that all bytes are read; without, only what is looked at.
    """

    def __init__(self, run: str | Path, *, check: bool = True) -> None:
        self.run, self._check = Path(run), check
        if not keeps(self.run):
            raise UserError(f"{run} keeps no experience: nothing was saved in {self.run / FOLDER} yet.")
        self.troubles: list[Trouble] = []
        """What could not be read so far, and what that means."""
        known = self._checkpoint()
        self.chunks = Chunks(self.run / FOLDER)  # after the checkpoint: what that one needs stays for a while
        if known is None:
            listed = self.chunks.listed
            known = (*((listed[0].first, listed[-1].end) if listed else (0, 0)), streams_of(self.run), _NO_GAPS)
        self.begin, self.end, self.streams, self.gaps = known
        """The rows that the checkpoint knows, of how many streams, and which of them are none: int64 [gap, (first time,
        end time, stream)]."""
        self._layout: dict[str, tuple[tuple[int, ...], str]] = {}
        self._sound: set[Chunk] = set()  # whose checksum was compared

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(chunk.bytes for chunk in self.chunks.listed)

    @property
    def layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Name -> shape and dtype of the arrays of a row."""
        next(self.pieces(), None)
        return self._layout

    def pieces(
        self, begin: int = 0, end: int | None = None, *, check: bool = False
    ) -> Iterator[tuple[np.ndarray, Rows]]:
        """Numbers and arrays of the rows `begin` to `end` - 1 that are data, a chunk at a time, the oldest first."""
        end = self.end if end is None else min(end, self.end)
        for chunk in self.chunks.listed:
            if chunk.end <= max(begin, self.begin) or chunk.first >= end:
                continue
            try:
                rows = self.read(chunk, check=check)
            except (OSError, ValueError) as error:
                if self.lists(chunk):
                    self._note(chunk.file, reason(error))
                continue
            ids = np.arange(chunk.first, chunk.end)
            kept = (ids >= max(begin, self.begin)) & (ids < end) & ~self.lost(ids)
            yield (ids, rows) if kept.all() else (ids[kept], {name: values[kept] for name, values in rows.items()})

    def read(self, chunk: Chunk, *, check: bool = False) -> Rows:
        """All rows of a chunk; ValueError or OSError says why they cannot be had, or are no rows of this run."""
        check = (check or self._check) and chunk not in self._sound
        rows = self.chunks.read(chunk, check=check)
        layout = _layout_of(rows)
        self._layout = self._layout or layout
        if layout != self._layout:
            name = next(name for name in sorted(layout | self._layout) if layout.get(name) != self._layout.get(name))
            here, others = (_described(it.get(name)) for it in (layout, self._layout))
            raise ValueError(f"{name} is {here}, in other chunks {others}")
        self._sound |= {chunk} if check else set()
        return rows

    def lists(self, chunk: Chunk) -> bool:
        """Whether a chunk is still there to be read; whoever trains deletes what is needed no more."""
        return chunk in Chunks(self.chunks.folder).listed

    def lost(self, ids: np.ndarray) -> np.ndarray:
        """Of each of these rows, whether it lies in a gap."""
        time, stream = ids[:, None] // self.streams, ids[:, None] % self.streams
        first, end, owner = self.gaps.T
        return ((first <= time) & (time < end) & (owner == stream)).any(axis=1)

    @cached_property
    def marks(self) -> dict[str, np.ndarray]:
        """`ids`, reward, terminated, truncated and is_first of all rows, stream after stream."""
        found = {name: [np.empty(0, dtype)] for name, dtype in _MARKS.items()}
        for ids, rows in self.pieces():
            for name, values in (rows | {"ids": ids}).items():
                if name in found:
                    found[name].append(values.copy())  # so that the file need not stay mapped
        marks = {name: np.concatenate(parts) for name, parts in found.items()}
        order = np.lexsort((marks["ids"], marks["ids"] % self.streams))
        return {name: values[order] for name, values in marks.items()}

    @cached_property
    def episodes(self) -> list[Episode]:
        """In order of their first rows, those that were cut too."""
        if not len(self.marks["ids"]):
            return []
        ids, reward, terminated, truncated, is_first = self.marks.values()
        last = terminated | truncated
        follows = np.diff(ids) == self.streams
        begins = np.flatnonzero(np.concatenate([[True], ~follows | is_first[1:] | last[:-1]]))
        ends = np.append(begins[1:], len(ids)) - 1
        with np.errstate(all="ignore"):
            scores = np.add.reduceat(reward.astype(np.float64), begins)
        columns = (
            ids[begins], ids[begins] % self.streams, ends - begins + 1, scores,
            terminated[ends], truncated[ends], is_first[begins] & last[ends],
        )  # fmt: skip
        return sorted(Episode(*row) for row in zip(*(column.tolist() for column in columns), strict=True))

    def sequence(self, number: int) -> Sequence:
        """The rows of `episodes[number]`; the last row of one that was cut is truncated."""
        if not 0 <= number < len(self.episodes):
            known = f"It keeps 0 to {len(self.episodes) - 1}" if self.episodes else "It keeps none yet"
            raise UserError(f"{self.run} has no episode {number}. {known}.")
        episode = self.episodes[number]
        ids = episode.first + np.arange(episode.rows) * self.streams
        own = [
            {name: values[np.isin(found, ids)] for name, values in rows.items()}
            for found, rows in self.pieces(episode.first, int(ids[-1]) + 1, check=True)
        ]
        if sum(len(rows["reward"]) for rows in own) != episode.rows:
            why = "; ".join(map(str, self.troubles)) or "some of its rows were deleted meanwhile"
            raise UserError(f"Episode {number} of {self.run} cannot be read: {why}. Choose another.", code=64)
        rows = {name: np.concatenate([part[name] for part in own]) for name in own[0]}
        rows["truncated"][-1] |= not rows["terminated"][-1]
        return Sequence(observation(rows), *(rows[name] for name in ("action", "reward", *FLAGS)))

    def _checkpoint(self) -> tuple[int, int, int, np.ndarray] | None:
        """What the newest checkpoint that can be read knows of the rows."""
        folders = checkpoints.listed(self.run / checkpoints.FOLDER)
        for folder in folders:
            try:
                state = checkpoints.load(folder, FOLDER, check=self._check).parts.get(FOLDER, {})
                inserted, _, _, size, streams = saved_counters(state).tolist()
                gaps = state.get("gaps", _NO_GAPS)  # there were none when checkpoints had no such array
                if gaps.shape[1:] != (3,) or gaps.dtype != np.int64:
                    raise ValueError("the replay's gaps are not there")
                return max(0, inserted - size), inserted, streams, gaps.copy()
            except (OSError, ValueError) as error:
                if folder.exists():  # or whoever trains has just deleted it
                    self._note(f"checkpoint {folder.name}", reason(error))
        what = "None of its checkpoints can be read" if folders else "It has no checkpoint yet"
        self._note(None, f"{what}, so rows that stand for none count as data")
        return None

    def _note(self, where: str | None, what: str) -> None:
        if Trouble(where, what) not in self.troubles:
            self.troubles.append(Trouble(where, what))


def keeps(run: Path) -> bool:
    """Whether a run has experience on the disk."""
    return (run / FOLDER).is_dir() and any((run / FOLDER).iterdir())


def streams_of(run: Path) -> int:
    """The environments that a run collects with, as its manifest says."""
    experience = manifest.read(run).get("config", {}).get("experience")
    streams = experience.get("environments") if isinstance(experience, dict) else None
    if type(streams) is not int or streams < 1:
        raise UserError(
            f"{run / manifest.FILE} does not say how many environments it collects with "
            f"(config.experience.environments is {streams!r}). Restore it from a copy.",
            code=64,
        )
    return streams


def observation(rows: Mapping[str, Any]) -> dict[str, Any]:
    """What was seen, by its own names."""
    return {name.removeprefix(OBSERVATION): it for name, it in rows.items() if name.startswith(OBSERVATION)}


def reason(error: OSError | ValueError) -> str:
    """Why something cannot be read, without its path."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _layout_of(rows: Rows) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and dtype of each array; ValueError where these are no rows."""
    layout = {name: (values.shape[1:], values.dtype.name) for name, values in rows.items()}
    wrong = [name for name in ("reward", *FLAGS) if layout.get(name) != ((), _MARKS[name])]
    wrong += [] if "action" in rows and rows["action"].ndim == 2 else ["action"]
    wrong += [name for name, values in rows.items() if values.dtype.kind not in "biuf"]
    if wrong:
        raise ValueError(f"{wrong[0]} is {_described(layout.get(wrong[0]))}, which is no part of a row")
    return layout


def _described(array: tuple[tuple[int, ...], str] | None) -> str:
    return f"{array[1]} {list(array[0])}" if array else "missing"
