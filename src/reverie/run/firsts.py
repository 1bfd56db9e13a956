"""The observations that began the episodes of a run, from its replay on the disk: where its dreams may begin."""

from pathlib import Path

import numpy as np

from reverie.errors import UserError
from reverie.run.stored import Stored, observation


def first_observations(run: Path, most: int) -> dict[str, np.ndarray]:
    """By name [start, ...], the oldest first, at most so many; a piece that cannot be read is left out."""
    found: dict[str, list[np.ndarray]] = {}
    count = 0
    for _, rows in Stored(run).pieces():
        for name, values in observation(rows).items():
            found.setdefault(name, []).append(values[rows["is_first"]])
        count += int(rows["is_first"].sum())
        if count >= most:
            break
    if not count:
        raise UserError(f"{run} keeps no experience that a dream could begin with: no row of it begins an episode.")
    return {name: np.concatenate(parts)[:most] for name, parts in found.items()}
