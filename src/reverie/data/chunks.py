"""Rows on disk: sealed chunks that are never changed, and a manifest with one line for each.

    chunks.jsonl         {"file", "first", "end", "bytes", "blake2b"}, appended after the chunk is on the disk
    00000000001024.safetensors   rows first ... end - 1, named after the first

A chunk counts only with its line. One that does not match its checksum, or has lost its line, is set aside as `*.bad`;
its rows are then a gap. What memory holds decides what is read; a chunk is never larger than `ROWS` rows, so neither is
a read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reverie.data import durable, objects, tensors

ROWS = 1024
"""Rows of a full chunk."""

FOLDER = "replay"
"""Of a run: where its chunks are."""
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
        self.listed = _read_manifest(self._manifest)

    def append(self, first: int, rows: Mapping[str, np.ndarray]) -> None:
        """Write rows first, first + 1, ... as one chunk."""
        pieces = tensors.pack(rows)
        end = first + len(next(iter(rows.values())))
        chunk = Chunk(f"{first:014d}.safetensors", first, end, tensors.size(pieces), tensors.digest(pieces))
        durable.write(self.folder / chunk.file, pieces)
        durable.append_line(self._manifest, json.dumps(chunk._asdict()), sync=True)
        self.listed.append(chunk)

    def keep(self, first: int) -> None:
        """Delete the chunks that lie wholly before row `first`."""
        dropped = [chunk for chunk in self.listed if chunk.end <= first]
        if dropped:
            self._rewrite([chunk for chunk in self.listed if first < chunk.end])
            for chunk in dropped:
                durable.remove(self.folder / chunk.file)

    def tidy(self, first: int, end: int) -> None:
        """Delete what a crash left: unfinished files, chunks from row `end` on, and those that `keep` had dropped.

        A dropped one has no line and lies wholly before row `first`. Others without a line are set aside.
        """
        durable.sweep(self.folder)
        kept = [chunk for chunk in self.listed if chunk.end <= end]
        if kept != self.listed:
            self._rewrite(kept)
        earlier, later = f"{max(0, first - ROWS + 1):014d}.safetensors", f"{end:014d}.safetensors"
        names = {chunk.file for chunk in kept}
        for path in sorted(self.folder.glob("*.safetensors")):
            if path.name >= later or (path.name < earlier and path.name not in names):
                durable.remove(path)
            elif path.name not in names:
                durable.replace(path, path.with_suffix(".bad"))

    def read(self, chunk: Chunk, *, check: bool = True) -> dict[str, np.ndarray]:
        """The rows of a chunk; ValueError or OSError says why they cannot be had. Without `check`, only the size is."""
        path = self.folder / chunk.file
        content = tensors.map_file(path)
        if len(content) != chunk.bytes or (check and tensors.digest_of(path) != chunk.blake2b):
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
        self.listed = chunks


def _read_manifest(path: Path) -> list[Chunk]:
    """The lines that can be understood; the rows of the others are a gap."""
    chunks: dict[int, Chunk] = {}
    for line in durable.whole_lines(path) if path.exists() else ():
        chunk = _parse(line)
        if chunk is not None:
            chunks[chunk.first] = chunk  # a crash between file and line lets a chunk be written twice: the later counts
    return [chunks[first] for first in sorted(chunks)]


def _parse(line: bytes) -> Chunk | None:
    """A line of the manifest, or None if it makes no sense."""
    try:
        chunk = Chunk(**objects.parse(line))
    except (ValueError, TypeError):
        return None
    whole = all(type(number) is int for number in (chunk.first, chunk.end, chunk.bytes))
    sound = whole and chunk.file == f"{chunk.first:014d}.safetensors" and 0 <= chunk.first < chunk.end < 2**62
    return chunk if sound else None
