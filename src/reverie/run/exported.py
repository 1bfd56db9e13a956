"""A run without its history: what acts and dreams, small enough to be passed on.

    manifest.json          the run's own
    weights.safetensors    V, M, C, ... in half precision where that holds them
    replay/                some observations that episodes began with, where dreams begin
    world.json             what is known of its world, so that it can dream where that is not installed
    README.md              what it is, for people

Loaded, evaluated and dreamt in like a run; it cannot go on learning.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import PyTree

from reverie.data import durable, objects, tensors
from reverie.data.chunks import FOLDER, Chunks
from reverie.data.replay import FLAGS, OBSERVATION
from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment
from reverie.envs.make import Factory, make, name_of
from reverie.envs.remembered import described, remembered
from reverie.errors import UserError
from reverie.run import manifest, tree
from reverie.run.snapshots import half, whole

FILE = "weights.safetensors"
WORLD = "world.json"
BEGINNINGS = 48
"""Observations to begin with: 0.6 MB of pictures of 64x64 pixels."""


def write(
    folder: Path,
    about: Mapping[str, Any],
    weights: Any,
    world: Environment,
    beginnings: Mapping[str, np.ndarray],
    measured: Sequence[Mapping[str, Any]],
) -> None:
    """Makes the folder; `UserError` where there is something already.

    Args:
        folder: to be made.
        about: the run's manifest.
        weights: what the method loads, a tree.
        world: what it acts in.
        beginnings: first observations by name [start, ...].
        measured: what was logged of it; the model card has the scores.
    """
    if folder.exists():
        raise UserError(f"{folder} is there already: choose another name, or take it away.")
    arrays = {name: half(values) for name, values in tree.to_arrays(weights).items()}
    rows = {f"{OBSERVATION}{name}": np.asarray(values) for name, values in beginnings.items()}
    count = len(next(iter(rows.values())))
    rows |= {name: np.full(count, name == "is_first") for name in FLAGS}
    action = world.spaces.action
    rows |= {"reward": np.zeros(count, np.float32), "action": np.zeros((count, *action.shape), action.dtype)}
    manifest.write(folder, about)
    Chunks(folder / FOLDER).append(0, rows)
    with contextlib.suppress(ValueError):  # of a kind that cannot be written down: it dreams where its world is
        durable.write(folder / WORLD, (json.dumps(described(world), indent=1) + "\n").encode())
    durable.write(folder / "README.md", card(about, measured, arrays).encode())
    durable.write(folder / FILE, tensors.pack(arrays))


def card(about: Mapping[str, Any], measured: Sequence[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> str:
    """The model card of a run: what it is, what it scored, how to use it."""
    name, world = about["method"], about["environment"]
    scores = [
        f"- {kind}: {entry[f'{key}/mean']:.1f} ± {entry[f'{key}/std']:.1f} (mean and standard deviation of "
        f"{entry[f'{key}/n']} episodes)"
        for kind, key in (("In the world", "evaluation"), ("In its own dreams", "dreamed"))
        for entry in [entry for entry in measured if f"{key}/mean" in entry][-1:]
    ]
    hours = max((entry.get("seconds", 0.0) for entry in measured), default=0.0) / 3600
    size, versions = sum(values.size for values in arrays.values()), about.get("versions", {})
    return f"""# {name} in {world}

- Method: `{name}`, size `{about["size"]}`, seed {about["seed"]}; {size:,} numbers, in half precision.
- World: `{world}`. Every setting is in `manifest.json`.
- Trained for {about["steps"] or 0:,} simulator steps, {hours:.1f} hours, by Reverie {versions.get("reverie", "?")} with
  jax {versions.get("jax", "?")}.

## Scores of the run, before its weights were rounded

{chr(10).join(scores) or "None was measured."}

## Use

```sh
reverie eval THIS_FOLDER
```

```python
import reverie

agent = reverie.load("THIS_FOLDER")
dream = reverie.dream("THIS_FOLDER")
```

It was made to study its method. It knows nothing but its world, and there only what its settings say that it saw.
"""


def is_one(folder: Path) -> bool:
    """Whether a folder is such a one, and no run."""
    return (folder / FILE).is_file()


def conversions(folder: Path, world: str | Factory, options: EnvironmentConfig) -> Environment:
    """Between the form of a run's world and the model's; where it is not installed, by what came along with weights."""
    try:
        found = make(world, options)
        found.close()
        return found
    except UserError as error:
        if error.code != 78 or not (folder / WORLD).is_file():
            raise
        why = str(error)
    try:
        return remembered(name_of(world), objects.parse((folder / WORLD).read_bytes()), options, why)
    except ValueError as error:
        raise UserError(f"{folder / WORLD} is damaged: {error}. Restore it from a copy.", code=64) from error


def read(folder: Path, like: PyTree) -> PyTree:
    """The weights, in a tree like `like`."""
    try:
        arrays = tensors.unpack(tensors.map_file(folder / FILE))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / FILE} is damaged: {error}. Restore it from a copy.", code=64) from error
    if name := tree.first_non_finite(arrays):
        raise UserError(f"{folder / FILE} is damaged: {name} is not finite. Restore it from a copy.", code=64)
    return tree.from_arrays(like, whole(arrays), source=str(folder))
