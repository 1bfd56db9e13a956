"""Rows on disk: sealed chunks that are never changed, and a manifest with one line for each.

    chunks.jsonl         {"file", "first", "end", "bytes", "blake2b"}, appended after the chunk is on the disk
    00000000001024.safetensors   rows first ... end - 1, named after the first

A chunk counts only with its line. One that is missing, or does not match its checksum, or whose line cannot be read, is
set aside as `*.bad`; its rows are then a gap. What memory holds decides what is read; a chunk is never larger than `ROWS` rows, so neither is a read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reverie.data import durable, objects, tensors

ROWS = 1024
"""Rows of a full chunk."""

MANIFEST = "chunks.jsonl"


class Chunk(NamedTuple):
    """A line of the manifest."""

    file: str
    first: int
    end: int
    bytes: int
    blake2b: str


class Chunks:
    """The chunks of one replay in a folder of their own; one writer.

    Args:
        folder: made when the first chunk is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._manifest = folder / MANIFEST
        lines = list(durable.whole_lines(self._manifest)) if self._manifest.exists() else []
        read = [_parse(line) for line in lines]
        self._unread = None in read
        by_first = {chunk.first: chunk for chunk in read if chunk}  # a chunk written twice, for a crash: the later counts
        self.listed = [by_first[first] for first in sorted(by_first)]

    def append(self, first: int, rows: Mapping[str, np.ndarray]) -> None:
        """Write rows first, first + 1, ... as one chunk."""
        pieces = tensors.pack(rows)
        end = first + len(next(iter(rows.values())))
        chunk = Chunk(f"{first:014d}.safetensors", first, end, tensors.size(pieces), tensors.digest(pieces))
        durable.write(self.folder / chunk.file, pieces)
        durable.append_line(self._manifest, json.dumps(chunk._asdict()), sync=True)
        self.listed.append(chunk)

    def keep(self, first: int, end: int) -> None:
        """Delete the chunks that lie wholly before row `first`, or not wholly before row `end`."""
        kept = [chunk for chunk in self.listed if first < chunk.end <= end]
        dropped = [chunk for chunk in self.listed if chunk not in kept]
        if dropped:
            self._rewrite(kept)
            for chunk in dropped:
                durable.remove(self.folder / chunk.file)

    def tidy(self) -> None:
        """Delete what a crash left: unfinished files, and chunks without a line (set aside if a line cannot be read)."""
        durable.sweep(self.folder)
        listed = {chunk.file for chunk in self.listed}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in listed:
                durable.replace(path, path.with_suffix(".bad")) if self._unread else durable.remove(path)
        if self._unread:
            self._rewrite(self.listed)

    def read(self, chunk: Chunk) -> dict[str, np.ndarray]:
        """The rows of a chunk; ValueError or OSError says why they cannot be had."""
        content = tensors.map_file(self.folder / chunk.file)
        if len(content) != chunk.bytes or tensors.digest([content]) != chunk.blake2b:
            raise ValueError("checksum differs")
        rows = tensors.unpack(content)
        if any(values.shape[:1] != (chunk.end - chunk.first,) for values in rows.values()):
            raise ValueError(f"arrays do not have {chunk.end - chunk.first} rows")
        return rows

    def set_aside(self, chunk: Chunk) -> None:
        """Take a bad chunk out of the manifest, and keep its file as `*.bad` for whoever wants to look."""
        path = self.folder / chunk.file
        self._rewrite([other for other in self.listed if other != chunk])
        if path.exists():
            durable.replace(path, path.with_suffix(".bad"))

    def _rewrite(self, chunks: list[Chunk]) -> None:
        text = "".join(json.dumps(chunk._asdict()) + "\n" for chunk in chunks)
        durable.write(self._manifest, text.encode())
        self.listed, self._unread = chunks, False


def _parse(line: bytes) -> Chunk | None:
    """A line of the manifest, or None if it makes no sense."""
    try:
        chunk = Chunk(**objects.parse(line))
    except (ValueError, TypeError):
        return None
    whole = all(type(number) is int for number in (chunk.first, chunk.end, chunk.bytes))
    sound = whole and chunk.file == f"{chunk.first:014d}.safetensors" and 0 <= chunk.first < chunk.end
    return chunk if sound else None
