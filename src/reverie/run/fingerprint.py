"""One number for all that a run has become: two runs with the same one will go on in the same way. Free of jax.

BLAKE2b over the newest checkpoint: parameters, optimiser, keys, memories and environments, counters; the replay's rows,
however they were cut into chunks, and its latents; and the metrics up to there, without their clock.
"""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reverie.data import objects
from reverie.data.chunks import Chunks
from reverie.data.replay import saved_counters
from reverie.errors import UserError
from reverie.run import checkpoints, log

_logger = logging.getLogger("reverie")

CLOCK = ("seconds",)
"""What of a line of metrics depends on the clock."""


def fingerprint(run: str | Path) -> str:
    """64 hexadecimal digits; `UserError` if there is no checkpoint, or something of the state cannot be read."""
    run = Path(run)
    newest = checkpoints.listed(run / checkpoints.FOLDER)[:1]
    if not newest:
        raise UserError(f"{run} has no checkpoint yet. Train it: `reverie resume {run}`.")
    try:
        checkpoint = checkpoints.load(newest[0])
        checkpoints.check(checkpoint.about)
        pieces = {
            "state": _digest(_parts(checkpoint)),
            "counters": checkpoint.about["counters"],
            "replay": _replay(run / "replay", checkpoint.parts.get("replay")),
            "metrics": _metrics(run / log.FILE, checkpoint.about["log"]),
        }
    except (OSError, ValueError) as error:
        raise UserError(
            f"The state of {run} cannot be read: {error}. `reverie resume {run}` goes on without what is damaged.",
            code=64,
        ) from error
    return hashlib.blake2b(json.dumps(pieces, sort_keys=True).encode(), digest_size=32).hexdigest()


def _parts(checkpoint: checkpoints.Checkpoint) -> Iterator[tuple[str, np.ndarray]]:
    for part, arrays in sorted(checkpoint.parts.items()):
        for name, array in sorted(arrays.items()):
            yield f"{part}.{name}", array


def _digest(named: Iterator[tuple[str, np.ndarray]]) -> str:
    """Names, types, shapes and bytes."""
    state = hashlib.blake2b(digest_size=32)
    for name, array in named:
        state.update(f"{name} {array.dtype} {array.shape}\n".encode())
        state.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def _replay(folder: Path, counters: dict[str, np.ndarray] | None) -> dict[str, Any]:
    """Which rows are held, and a digest of each of their fields."""
    if counters is None:
        return {}
    inserted, _, _, size, _ = saved_counters(counters).tolist()
    oldest, ranges = max(0, inserted - size), []
    fields: dict[str, Any] = {}
    chunks = Chunks(folder)
    for chunk in chunks.listed:
        if oldest < chunk.end <= inserted:
            first = max(chunk.first, oldest)
            ranges += [first, chunk.end] if not ranges or ranges[-1] != first else []
            ranges[-1] = chunk.end
            for name, values in chunks.read(chunk).items():
                rows = np.ascontiguousarray(values[first - chunk.first :])
                fields.setdefault(name, hashlib.blake2b(digest_size=32)).update(rows.reshape(-1).view(np.uint8).data)
    if ranges != [oldest, inserted] and inserted:
        _logger.warning("%s lacks rows; it holds %s of %d to %d", folder, ranges, oldest, inserted)
    return {"ranges": ranges} | {name: state.hexdigest() for name, state in fields.items()}


def _metrics(path: Path, size: int) -> list[Any]:
    """The lines of the first `size` bytes."""
    lines = path.read_bytes()[:size].splitlines() if path.exists() else []
    return [_without_clock(line) for line in lines]


def _without_clock(line: bytes) -> Any:
    try:
        return {name: value for name, value in objects.parse(line).items() if name not in CLOCK}
    except ValueError:  # a damaged line is what it is
        return line.decode("latin-1")
