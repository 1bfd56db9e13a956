"""Replay: what was experienced, in windows, drawn as a function of counters alone.

    add          one row per stream; row numbers (ids) count up
    draw         batch n: a pure function of (seed, n), the rows inserted before `upto`, and the online queue
    latents      what the model remembered at those rows, as stored now; `write_back` replaces them after an update

A thread may draw while rows are added: a draw sees the `capacity` rows before `upto` whatever has been added since,
for the ring keeps more rows than that. A batch drawn ahead of its use (`ahead=True`, `data.prefetch`) is not yet part
of the state: `use(n)` makes it so. Nothing that is drawn depends on timing.

On disk: rows in append-only chunks (`data.chunks`) made by `seal`; latents and counters in `state`, which belongs to
the checkpoint. On sampling, a row followed by a gap, or by a reset that nobody announced, is marked truncated.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reverie.data import memory
from reverie.data.chunks import ROWS, Chunks
from reverie.data.ring import Ring, bytes_per_row
from reverie.data.windows import Windows
from reverie.types import Sequence, Spaces, Step

SLACK = 1 / 16
"""Share of the capacity kept beyond it, for draws that lag behind the insertion."""
LEAST_SLACK = 64
"""Rows per stream kept beyond the capacity at least."""

OBSERVATION = "observation."
"""What the names of the arrays that were seen begin with."""
FLAGS = ("terminated", "truncated", "is_first")


class Batch(NamedTuple):
    """Windows [batch, length]."""

    ids: np.ndarray
    """int64; which rows these are, for `latents` and `write_back`."""
    sequence: Sequence


def bytes_per_step(spaces: Spaces, latents: Mapping[str, tuple[tuple[int, ...], str]]) -> int:
    """Memory that one row takes."""
    return bytes_per_row(_fields(spaces)) + bytes_per_row(latents)


def steps_in(
    gibibytes: float, spaces: Spaces, latents: Mapping[str, tuple[tuple[int, ...], str]], *, streams: int, lag: int
) -> int:
    """The capacity that a budget of memory allows, as `Replay` takes it; 0 or less if none."""
    rows = gibibytes * 2**30 / bytes_per_step(spaces, latents)
    return int(min(rows / (1 + SLACK), rows - streams * max(LEAST_SLACK, lag)))


class Replay:
    """The newest `capacity` rows of several streams.

    Args:
        spaces: what a row looks like.
        latents: name -> shape and dtype of what the model stores with each row.
        streams: environments stepped together; each is a sequence of its own.
        length: rows of a window (the context step included).
        capacity: rows kept, over all streams.
        seed: of the draws.
        lag: rows per stream that may be added between asking for a batch and using it.
        online: whether every row is first drawn once, in order.
    """

    def __init__(
        self,
        spaces: Spaces,
        latents: Mapping[str, tuple[tuple[int, ...], str]],
        *,
        streams: int,
        length: int,
        capacity: int,
        seed: int,
        lag: int = 0,
        online: bool = True,
    ) -> None:
        if capacity < streams * length:
            raise ValueError(
                f"Replay: capacity {capacity} cannot hold one window of {length} rows for each of {streams} streams; "
                f"need at least {streams * length}"
            )
        self.streams, self.length, self.seed, self.online = streams, length, seed, online
        self._depth = capacity // streams  # rows kept per stream
        ring = streams * (self._depth + max(LEAST_SLACK, lag, int(self._depth * SLACK)))
        remedy = "Give the replay fewer steps or fewer GiB."
        memory.check(ring * bytes_per_step(spaces, latents), f"A replay of {capacity} steps", remedy)
        self._rows = Ring(_fields(spaces), ring)
        self._latents = Ring(latents, ring)
        self._windows = Windows(streams, length)
        self._lock = threading.Lock()
        self.inserted = 0
        """Rows added so far, over all streams."""
        self._sealed = 0  # rows on the disk, or lost
        self._next = 0  # the batch that the trainer will use next
        self._taken = {0: 0}  # batch n -> what the online queue had given out before it

    def __len__(self) -> int:
        """Windows that could be drawn now."""
        return self.windows(self.inserted)

    def windows(self, upto: int) -> int:
        """Windows that could be drawn from the rows inserted before `upto`."""
        return self._windows.count(*self._range(upto))

    @property
    def held(self) -> int:
        """Rows that are here, over all streams."""
        return self._windows.held(*self._range(self.inserted))

    @property
    def capacity(self) -> int:
        """Rows kept, over all streams."""
        return self._depth * self.streams

    @property
    def layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Name -> shape and dtype of what is stored with each row."""
        return {name: (values.shape[1:], values.dtype.name) for name, values in self._latents.arrays.items()}

    def add(
        self, step: Step, action: np.ndarray, latents: Mapping[str, np.ndarray], present: np.ndarray | None = None
    ) -> None:
        """One row of every stream: what was seen, what was then done, and what the model remembered of it.

        Streams that are not `present` [streams] have no row now: a gap, which no window crosses.
        """
        rows = {OBSERVATION + name: np.asarray(value) for name, value in step.observation.items()}
        rows |= {name: np.asarray(getattr(step, name)) for name in ("reward", *FLAGS)}
        rows["action"] = np.asarray(action)
        if any(len(values) != self.streams for values in rows.values()):
            raise ValueError(f"Replay.add: every array needs one row for each of {self.streams} streams")
        with self._lock:
            self._rows.put(self.inserted, rows)
            self._latents.put(self.inserted, {name: np.asarray(value) for name, value in latents.items()})
            for stream in () if present is None else np.flatnonzero(~present).tolist():
                self._windows.lose(self.inserted // self.streams, self.inserted // self.streams + 1, stream)
            self.inserted += self.streams

    def draw(self, n: int, batch: int, upto: int, *, ahead: bool = False) -> Batch:
        """Batch n (0, 1, 2, ... in order), from the rows inserted before `upto`."""
        if n not in self._taken:
            raise ValueError(f"Replay.draw: batch {n} is out of order; batch {max(self._taken)} is next")
        if upto > self.inserted:
            raise ValueError(f"Replay.draw: upto={upto}, but only {self.inserted} rows have been inserted")
        starts = self._starts(n, batch, upto)
        ids = starts[:, None] + np.arange(self.length) * self.streams
        rows = self._rows.take(ids)
        with self._lock:
            if self._range(upto)[0] * self.streams < self._held():
                raise RuntimeError(
                    f"Replay.draw: rows before {upto} were overwritten, {self.inserted} have been inserted; "
                    "draw closer to the insertion"
                )
        if not ahead:
            self.use(n)
        rows["truncated"][:, -1] |= self._windows.cut(ids[:, -1], upto // self.streams) & ~rows["terminated"][:, -1]
        return Batch(ids, _sequence(rows))

    def pick(self, n: int, batch: int) -> Sequence:
        """The first rows of `batch` windows, drawn uniformly by (seed, n) from all that is here now [batch, ...]."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, n])))
        return self.rows(self._windows.uniform(random, batch, *self._range(self.inserted)))

    def times(self, stream: int) -> np.ndarray:
        """The rows of a stream that are here, in order; where two are not neighbours, what was between is lost."""
        return self._windows.times(stream, *self._range(self.inserted))

    def rows(self, ids: np.ndarray) -> Sequence:
        """Rows by their numbers [row], none of them the neighbour of another."""
        alone = _sequence(self._rows.take(ids[:, None]))
        observation = {name: values[:, 0] for name, values in alone.observation.items()}
        return Sequence(observation, *(values[:, 0] for values in alone[1:]))

    def use(self, n: int) -> None:
        """Batch n is being trained on: from now on it is part of the state."""
        with self._lock:
            self._next = n + 1
            self._taken = {later: taken for later, taken in self._taken.items() if later >= n}

    def latents(self, ids: np.ndarray) -> dict[str, np.ndarray]:
        """What is stored for these rows now, shaped [*ids.shape, ...]."""
        return self._latents.take(ids)

    def write_back(self, ids: np.ndarray, latents: Mapping[str, np.ndarray]) -> None:
        """Replace what is stored for these rows; those evicted meanwhile are ignored, the last of equal ids counts."""
        flat = ids.reshape(-1)
        _, last = np.unique(flat[::-1], return_index=True)
        chosen = len(flat) - 1 - last
        chosen = chosen[flat[chosen] >= self._held()]
        values = {name: np.asarray(value) for name, value in latents.items()}
        rows = {name: value.reshape(len(flat), *value.shape[ids.ndim :])[chosen] for name, value in values.items()}
        self._latents.overwrite(flat[chosen], rows)

    def seal(self, folder: Path) -> None:
        """Write the rows that are not yet on the disk as chunks."""
        chunks = Chunks(folder)
        self._sealed = max(self._sealed, self._held())
        while self._sealed < self.inserted:
            end = min(self.inserted, self._sealed + ROWS)
            chunks.append(self._sealed, self._rows.take(np.arange(self._sealed, end)))
            self._sealed = end

    def state(self) -> dict[str, np.ndarray]:
        """What belongs to the checkpoint: latents, counters and gaps. Views: write them before going on."""
        counters = [self.inserted, self._next, self._taken[self._next], self._rows.size, self.streams]
        latents = {f"latents.{name}": values for name, values in self._latents.used(self.inserted).items()}
        gaps = self._windows.lost(self._held() // self.streams, self.inserted // self.streams)
        return {"counters": np.array(counters, np.int64), "gaps": gaps, **latents}

    def restore(self, folder: Path, state: Mapping[str, np.ndarray]) -> list[str]:
        """Read back what `seal` and `state` gave; what was lost is a gap, and one sentence each in the answer."""
        inserted, following, taken, size, streams = saved_counters(state).tolist()
        if (size, streams) != (self._rows.size, self.streams):
            raise ValueError(f"Replay.restore: saved with {streams} streams and {size} rows, this one has other sizes")
        saved = {name: (values.shape[1:], values.dtype) for name, values in state.items() if name != "counters"}
        here = {f"latents.{name}": (values.shape[1:], values.dtype) for name, values in self._latents.arrays.items()}
        if saved != here | {"gaps": ((3,), np.dtype(np.int64))}:
            raise ValueError(f"Replay.restore: saved with latents {saved}, this one has {here}")
        if any(len(state[name]) != min(inserted, size) for name in here):
            raise ValueError(f"Replay.restore: the latents are not of {inserted} rows")
        self.inserted = self._sealed = inserted
        self._next, self._taken = following, {following: taken}
        self._windows = Windows(self.streams, self.length)
        for name, values in self._latents.used(inserted).items():
            values[:] = state[f"latents.{name}"]
        messages = self._read(Chunks(folder))
        for first, end, stream in state["gaps"].tolist():
            self._windows.lose(first, end, stream)
        return messages

    def discard(self, folder: Path, before: int) -> None:
        """Delete the chunks that a checkpoint made at `before` inserted rows, or later, does not need."""
        Chunks(folder).keep(self._held(before))

    def _read(self, chunks: Chunks) -> list[str]:
        """Fill the ring from the disk; rows found nowhere become gaps."""
        held, messages = self._held(), []
        chunks.tidy(held, self.inserted)  # later ones belong to a checkpoint that is gone
        known = held
        for chunk in list(chunks.listed):
            if chunk.end <= held:
                continue
            try:
                rows = chunks.read(chunk)
                first = max(chunk.first, held)
                self._rows.put(first, {name: values[first - chunk.first :] for name, values in rows.items()})
            except (OSError, ValueError) as error:
                chunks.set_aside(chunk)
                messages.append(f"replay chunk {chunk.file} was set aside: {error}")
                continue
            messages += self._lose(known, first)
            known = chunk.end
        return messages + self._lose(known, self.inserted)

    def _lose(self, first: int, end: int) -> list[str]:
        if first >= end:
            return []
        self._windows.lose(first // self.streams, -(-end // self.streams))
        return [f"replay rows {first} to {end - 1} are lost ({end - first} rows); no sequence will cross the gap"]

    def _starts(self, n: int, batch: int, upto: int) -> np.ndarray:
        """The first rows of batch n: from the online queue, then uniformly."""
        oldest, end = self._range(upto)
        if not self._windows.count(oldest, end):
            raise ValueError(f"Replay.draw: no window of {self.length} rows among the {upto} inserted so far")
        taken = self._taken[n]
        queued = np.empty(0, np.int64)
        if self.online:
            queued, taken = self._windows.online(taken, batch, oldest, end)
        with self._lock:
            self._taken[n + 1] = taken
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, n])))
        return np.concatenate([queued, self._windows.uniform(random, batch - len(queued), oldest, end)])

    def _range(self, upto: int) -> tuple[int, int]:
        """First and end time that a draw may see, when `upto` rows are inserted."""
        end = upto // self.streams
        return max(0, end - self._depth), end

    def _held(self, inserted: int | None = None) -> int:
        """The first row that has not been overwritten."""
        return max(0, (self.inserted if inserted is None else inserted) - self._rows.size)


def saved_counters(state: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows inserted, next batch, rows taken by the online queue, size, streams: of what `Replay.state` gave."""
    counters = state.get("counters", np.empty(0))
    if counters.shape != (5,) or counters.dtype != np.int64 or (counters < 0).any() or not counters[3:].all():
        raise ValueError("the replay's counters are not there")
    return counters


def _fields(spaces: Spaces) -> dict[str, tuple[tuple[int, ...], str]]:
    """The arrays of a row, latents excepted."""
    fields = {OBSERVATION + name: (spec.shape, spec.dtype) for name, spec in spaces.observation.items()}
    fields["action"] = (spaces.action.shape, spaces.action.dtype)
    fields["reward"] = ((), "float32")
    return fields | dict.fromkeys(FLAGS, ((), "bool"))


def _sequence(rows: dict[str, np.ndarray]) -> Sequence:
    """Rows as a Sequence [batch, length, ...], with unannounced resets marked on the row before."""
    observation = {
        name.removeprefix(OBSERVATION): values for name, values in rows.items() if name.startswith(OBSERVATION)
    }
    terminated, truncated, is_first = (rows[name] for name in FLAGS)
    truncated[:, :-1] |= is_first[:, 1:] & ~terminated[:, :-1]
    return Sequence(observation, rows["action"], rows["reward"], terminated, truncated, is_first)
