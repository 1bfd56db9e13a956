"""When numbers fail for good: after ten skipped updates in a row a run ends, and leaves what computes them again.

    failures/000000012000/learner.safetensors   the trainer's learner, as before the update that failed
                          stack.safetensors     batches of the last compiled call; the last batch is the tenth

The checkpoints stay as they are, so the same run can go on from the newest one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import ArrayLike, PyTree

from reverie.data import durable, tensors
from reverie.errors import UserError
from reverie.run import tree
from reverie.run.dispatch import HOPELESS
from reverie.run.experience import Stack
from reverie.run.run import Run
from reverie.types import Sequence, Spaces

FOLDER = "failures"


def stop_if_hopeless(run: Run, skipped: ArrayLike, learner: PyTree, stack: PyTree) -> None:
    """Ends the run, by a `UserError`, if too many updates in a row were skipped.

    Args:
        run: it keeps what failed.
        skipped: what `dispatch` says of the updates [dispatch] of a stack.
        learner: as it was before the first of those in a row, and so after them.
        stack: the batches, on which the tenth failed at the latest.
    """
    hopeless = np.flatnonzero(np.asarray(skipped) >= HOPELESS)
    if not len(hopeless):
        return
    folder = run.directory / FOLDER / f"{run.step:012d}"
    if not folder.exists():  # it failed here before, and the same numbers are there
        write(folder, learner, jax.tree.map(lambda leaf: leaf[: hopeless[0] + 1], stack))
    raise UserError(
        f"{HOPELESS} updates in a row gave a loss or a gradient that is not finite, and were "
        f"skipped. The newest checkpoint stays good. What failed is kept: `reverie runs replay {folder}` computes it "
        "again and says which loss it was. A smaller learning rate may help, in a new run.",
        code=70,
    )


def write(folder: Path, learner: PyTree, stack: PyTree) -> None:
    """The bundle: a folder that appears whole."""
    parts = {"learner": tree.to_arrays(learner), "stack": tree.to_arrays(stack)}
    durable.commit_folder(folder, {f"{name}.safetensors": tensors.pack(arrays) for name, arrays in parts.items()})


def replay(folder: Path, method: ModuleType, spaces: Spaces, config: Any) -> dict[str, float]:
    """The metrics of the last update of a bundle, computed again by the method that wrote it."""
    like = eqx.filter_eval_shape(method.initialise, spaces, config, key=jr.key(0))
    learner, stack = read(folder, like, getattr(method, "stack_of", None))
    _, (_, metrics) = method.update(learner, jax.tree.map(lambda leaf: jnp.asarray(leaf[-1]), stack), config)
    return {name: float(value) for name, value in metrics.items()}


def read(
    folder: Path, learner: PyTree, stack_of: Callable[[dict[str, np.ndarray]], Any] | None = None
) -> tuple[PyTree, Any]:
    """A learner like `learner`, and the batches [dispatch, ...] that failed last, in the method's own form."""
    if not (folder / "learner.safetensors").exists():
        raise UserError(f"{folder} is no failure of a run: those lie in RUN/{FOLDER}/, if there was one.")
    try:
        parts = {
            name: tensors.unpack(tensors.map_file(folder / f"{name}.safetensors")) for name in ("learner", "stack")
        }
        stack = (stack_of or _stack)(parts["stack"])
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder} is damaged: {error}. Restore it from a copy, or train on: it is made again.", code=64
        ) from error
    return tree.from_arrays(learner, parts["learner"], source=str(folder)), stack


def _stack(arrays: Mapping[str, np.ndarray]) -> Stack:
    """The named arrays of a stack in their places."""
    rows = _under("sequence.", arrays)
    observation = _under("observation.", rows)
    rest = {name: array for name, array in rows.items() if name in Sequence._fields}
    if rest.keys() != set(Sequence._fields[1:]):
        raise ValueError(f"its batches have {sorted(rest)} and not {sorted(Sequence._fields[1:])}")
    return Stack(Sequence(observation=observation, **rest), _under("context.", arrays))


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
