"""The observations that began the episodes of a run, from its replay on the disk: where its dreams may begin."""

from pathlib import Path

import numpy as np

from reverie.data.chunks import FOLDER, Chunks
from reverie.errors import UserError

PREFIX = "observation."


def first_observations(run: Path, most: int) -> dict[str, np.ndarray]:
    """By name [start, ...], the oldest first, at most so many; a piece that cannot be read is left out."""
    found: dict[str, list[np.ndarray]] = {}
    count, chunks = 0, Chunks(run / FOLDER)
    for chunk in chunks.listed:
        try:
            rows = chunks.read(chunk)
        except (OSError, ValueError):
            continue  # whoever trains will say so
        for name, values in rows.items():
            if name.startswith(PREFIX):
                found.setdefault(name.removeprefix(PREFIX), []).append(values[rows["is_first"]])
        count += int(rows["is_first"].sum())
        if count >= most:
            break
    if not count:
        raise UserError(f"{run} keeps no experience that a dream could begin with: its replay is empty.")
    return {name: np.concatenate(parts)[:most] for name, parts in found.items()}
