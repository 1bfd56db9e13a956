"""What a run had learned on its way: its weights alone, in half precision, at steps that runs have in common.

    snapshots/000000001008/state.safetensors     at the first turn from step 1,000 on; then 2,000, 5,000, 10,000, ...

So runs of any length can be compared at equal steps, at the price of three snapshots for every tenfold. Nothing goes on
from one: that is what checkpoints are for, of which only the newest are kept. They have the same form.
"""

from pathlib import Path

import numpy as np
from jaxtyping import PyTree

from reverie.errors import UserError
from reverie.run import checkpoints, tree

FIRST = 1000
"""Simulator steps before the first, unless a run's manifest says otherwise."""


def passed(step: int, first: int | float) -> int:
    """How many of the steps first x (1, 2, 5, 10, 20, 50, ...) a run has reached."""
    found, tens = 0, 1
    while True:
        for times in (1, 2, 5):
            if first * times * tens > step:
                return found
            found += 1
        tens *= 10


def write(run: Path, step: int, weights: PyTree) -> None:
    """Keeps these weights; one that is there already is the same, for a run does again what it did."""
    if not any(checkpoints.step_of(folder) == step for folder in checkpoints.listed(run / checkpoints.SNAPSHOTS)):
        arrays = {name: half(values) for name, values in tree.to_arrays(weights).items()}
        checkpoints.save(run / checkpoints.SNAPSHOTS, step, {checkpoints.STATE: arrays}, {})


def steps(run: Path) -> list[int]:
    """Of all that are kept, the first step first."""
    return sorted(checkpoints.step_of(folder) for folder in checkpoints.listed(run / checkpoints.SNAPSHOTS))


def read(run: Path, step: int, like: PyTree) -> tuple[PyTree, int]:
    """The weights at the snapshot nearest to a step, in a tree like `like`, and its step.

    Raises:
        UserError: there is none, or it is damaged.
    """
    kept = {checkpoints.step_of(folder): folder for folder in checkpoints.listed(run / checkpoints.SNAPSHOTS)}
    if not kept:
        raise UserError(f"{run} keeps no snapshots: it had made too few steps, or its method takes none (vmc).")
    at = min(sorted(kept), key=lambda there: abs(there - step))
    try:
        arrays = checkpoints.load(kept[at]).parts[checkpoints.STATE]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{kept[at]} is damaged: {error}. Take it away, or restore it from a copy.", code=64) from error
    return tree.from_arrays(like, whole(arrays), source=str(kept[at])), at


def half(values: np.ndarray) -> np.ndarray:
    """In half precision, unless something in it is too large for that."""
    if values.dtype != np.float32 or not np.all(np.abs(values) < np.finfo(np.float16).max):
        return values
    return values.astype(np.float16)


def whole(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """In single precision again."""
    return {name: np.asarray(it, np.float32) if it.dtype == np.float16 else it for name, it in arrays.items()}
