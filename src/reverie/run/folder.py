"""The folder that a run is to have: which one, and whether it is free, its own, or somebody else's."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reverie.data import chunks, durable
from reverie.errors import UserError
from reverie.run import checkpoints, lock, log, manifest
from reverie.run.lock import Lock

OWN = {manifest.FILE, lock.FILE, "restarts.jsonl", chunks.FOLDER, checkpoints.SNAPSHOTS, "media"}
"""What a run that nothing was saved of may have left."""


def is_begun(directory: Path) -> bool:
    """Whether anything was measured or saved under the manifest that is there."""
    return any((directory / name).exists() for name in (checkpoints.FOLDER, log.FILE, log.EVALUATIONS))


def refuse_foreign(directory: Path) -> None:
    """A run does not mix with what is not its own."""
    there = sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []
    foreign = [name for name in there if name not in OWN and not name.startswith(durable.TEMPORARY)]
    if foreign:
        raise UserError(
            f"{directory} is no run and not empty: {foreign[0]} is there. Choose another folder with --run."
        )


def set_aside(directory: Path) -> None:
    """Rename a run that nobody is writing to, to the first `*-old` that is free."""
    if Path.cwd().is_relative_to(directory.resolve()):
        raise UserError(
            f"{directory} cannot be set aside from within. Go to another folder, and give its path from there."
        )
    with contextlib.closing(Lock(directory)):
        number, target = 1, directory.with_name(f"{directory.name}-old")
        while target.exists():
            number += 1
            target = directory.with_name(f"{directory.name}-old-{number}")
        durable.replace(directory, target)


def latest(folder: Path, description: dict[str, Any], defaults: dict[str, Any]) -> Path:
    """The newest of the folder and its numbered siblings that holds this very run; with none, the newest of them."""
    taken: list[Path] = []
    for path in family(folder):
        if not path.exists():
            break
        taken.append(path)
    same = [path for path in reversed(taken) if _is_same(path, description, defaults)]
    return (same or taken[-1:] or [folder])[0]


def _is_same(folder: Path, description: dict[str, Any], defaults: dict[str, Any]) -> bool:
    """Whether a run could be continued with this description."""
    try:
        manifest.continued(manifest.read(folder), manifest.completed(description), folder, defaults)
    except UserError:
        return False
    return True


def family(folder: Path) -> Iterator[Path]:
    """`folder`, `folder-2`, `folder-3`, ..."""
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in range(2, 10_000))
