"""Which windows of consecutive rows may be drawn, and which one is next.

Rows of `streams` interleaved streams are numbered in the order of insertion: row t of stream s is `t * streams + s`. A
window is `length` consecutive rows of one stream. It may hold several episodes, but never a gap: what was lost lies
between two segments, and a window lies in one.

    uniform   every start of every segment equally likely
    online    per stream, every length-th window once, oldest first, so that each row is trained on at least once
              (DreamerV3's online queue). The queue is one number: the windows it has given out or skipped.
"""

import numpy as np

OPEN = np.iinfo(np.int64).max
"""End of a segment that still grows."""


class Windows:
    """The segments of all streams. Times below are rows within a stream.

    Args:
        streams: interleaved streams.
        length: rows of a window.
    """

    def __init__(self, streams: int, length: int) -> None:
        self.streams, self.length = streams, length
        self._segments = np.array([(stream, 0, OPEN) for stream in range(streams)], np.int64)

    def lose(self, first: int, end: int, stream: int | None = None) -> None:
        """Rows first ... end - 1 of a stream (of all) are gone: no window holds any of them."""
        pieces = []
        for owner, begin, stop in self._segments.tolist():
            if stream is not None and owner != stream:
                pieces.append((owner, begin, stop))
                continue
            pieces += [
                (owner, *piece) for piece in ((begin, min(stop, first)), (max(begin, end), stop)) if piece[0] < piece[1]
            ]
        self._segments = np.array(pieces, np.int64).reshape(-1, 3)

    def lost(self, oldest: int, end: int) -> np.ndarray:
        """What of the times oldest ... end - 1 is gone: int64 [piece, (first, end, stream)], as `lose` takes them."""
        pieces = []
        for stream in range(self.streams):
            own = self._segments[self._segments[:, 0] == stream, 1:].clip(oldest, end)
            edges = [oldest, *own[np.argsort(own[:, 0], kind="stable")].ravel().tolist(), end]
            between = zip(edges[::2], edges[1::2], strict=True)
            pieces += [(first, stop, stream) for first, stop in between if first < stop]
        return np.array(pieces, np.int64).reshape(-1, 3)

    def cut(self, ids: np.ndarray, end: int) -> np.ndarray:
        """Of each of these rows, whether a gap follows it, as far as is known before time `end`."""
        segments = self._segments
        owner, _, stop = segments[segments[:, 2] < end].T
        time, stream = ids // self.streams, ids % self.streams
        return ((stop == time[..., None] + 1) & (owner == stream[..., None])).any(axis=-1)

    def held(self, oldest: int, end: int) -> int:
        """Rows within the times oldest ... end - 1."""
        segments = self._segments
        return int(np.maximum(np.minimum(segments[:, 2], end) - np.maximum(segments[:, 1], oldest), 0).sum())

    def count(self, oldest: int, end: int) -> int:
        """Windows within the times oldest ... end - 1."""
        return int(self._starts(oldest, end)[2].sum())

    def uniform(self, random: np.random.Generator, batch: int, oldest: int, end: int) -> np.ndarray:
        """Ids of the first rows of `batch` windows, with replacement."""
        segments, begins, counts = self._starts(oldest, end)
        total = np.cumsum(counts)
        choice = random.integers(total[-1], size=batch)
        segment = np.searchsorted(total, choice, side="right")
        time = begins[segment] + choice - (total - counts)[segment]
        return time * self.streams + segments[segment, 0]

    def times(self, stream: int, oldest: int, end: int) -> np.ndarray:
        """Ids of the rows of a stream that lie in a segment, in order."""
        own = sorted(self._segments[self._segments[:, 0] == stream, 1:].tolist())
        pieces = [np.arange(max(begin, oldest), min(stop, end)) for begin, stop in own]
        return np.concatenate([np.empty(0, np.int64), *pieces]) * self.streams + stream

    def online(self, taken: int, batch: int, oldest: int, end: int) -> tuple[np.ndarray, int]:
        """Ids of the first rows of up to `batch` windows from the queue, and the queue afterwards.

        Position q of the queue is the window of stream q % streams that starts at time q // streams * length.
        Windows that are evicted or lie across a gap are skipped.
        """
        taken = max(taken, oldest // self.length * self.streams)
        available = end // self.length * self.streams
        starts: list[np.ndarray] = []
        while batch and taken < available:
            position = np.arange(taken, min(available, taken + batch))
            time, stream = position // self.streams * self.length, position % self.streams
            good = self._whole(stream, time, oldest)
            starts.append((time * self.streams + stream)[good])
            batch -= int(good.sum())
            taken = int(position[-1]) + 1
        return np.concatenate([np.empty(0, np.int64), *starts]), taken

    def _whole(self, stream: np.ndarray, time: np.ndarray, oldest: int) -> np.ndarray:
        """Which windows are in memory and within a segment."""
        owner, begin, stop = self._segments.T
        inside = (owner == stream[:, None]) & (begin <= time[:, None]) & (time[:, None] + self.length <= stop)
        return inside.any(axis=1) & (time >= oldest)

    def _starts(self, oldest: int, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The segments, and the first start and number of starts of each, as far as it lies in oldest ... end - 1."""
        segments = self._segments  # `lose` replaces them, in another thread than this
        begins = np.maximum(segments[:, 1], oldest)
        counts = np.minimum(segments[:, 2], end) - begins - self.length + 1
        return segments, begins, np.maximum(counts, 0)
