"""Checkpoints: folders that appear whole, carry checksums, and are kept in pairs.

    checkpoints/000000012000/state.safetensors   the trainer's pytree: parameters, optimiser, keys (`run.tree`)
                             *.safetensors       arrays of the other parts (replay, collector)
                             manifest.json       counters; size and BLAKE2b of every file, and its own

A second one of the same step gets `-1` behind its name, for a committed folder is never touched again.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from reverie.data import durable, objects, tensors
from reverie.errors import UserError

FOLDER = "checkpoints"
SNAPSHOTS = "snapshots"
"""The folder of those that are for comparing alone (`run.snapshots`)."""
KEPT = 2
FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state"

_FILE = {"bytes", "blake2b"}


class Checkpoint(NamedTuple):
    """A checkpoint that has been verified."""

    folder: Path
    about: dict[str, Any]
    """What the writer said of it: step, counters, ..."""
    parts: dict[str, dict[str, np.ndarray]]
    """Part (`state`, `replay`, ...) -> arrays; views of the files."""


def save(root: Path, step: int, parts: Mapping[str, Mapping[str, np.ndarray]], about: Mapping[str, Any]) -> Path:
    """Write a checkpoint; returns its folder."""
    packed = {f"{part}.safetensors": tensors.pack(arrays) for part, arrays in parts.items()}
    files = {name: {"bytes": tensors.size(it), "blake2b": tensors.digest(it)} for name, it in packed.items()}
    manifest: dict[str, Any] = {**about, "format": FORMAT, "step": step, "files": files}
    manifest["blake2b"] = _digest(manifest)
    again = max((order[1] + 1 for there in listed(root) if (order := _order(there)) and order[0] == step), default=0)
    folder = root / (f"{step:012d}-{again}" if again else f"{step:012d}")
    durable.commit_folder(folder, {**packed, MANIFEST: json.dumps(manifest, indent=1).encode()})
    return folder


def listed(root: Path) -> list[Path]:
    """The folders of all checkpoints, newest first."""
    ordered = [(order, folder) for folder in root.glob("*") if (order := _order(folder)) is not None]
    return [folder for _, folder in sorted(ordered, reverse=True)]


def step_of(folder: Path) -> int:
    """The step at which a checkpoint was made, by its name."""
    return int(folder.name.partition("-")[0])


def prune(root: Path) -> None:
    """Keep the newest."""
    for folder in listed(root)[KEPT:]:
        durable.remove(folder)


def load(folder: Path, only: str | None = None, *, check: bool = True) -> Checkpoint:
    """Read and verify a checkpoint (of its parts, `only` one); ValueError or OSError says what is wrong with it.

    Without `check`, of a part only its size is verified.
    """
    manifest = read_manifest(folder)
    parts = {}
    for name, expected in manifest["files"].items():
        part = name.removesuffix(".safetensors")
        if only in (None, part):
            content = tensors.map_file(folder / name)
            differs = check and tensors.digest_of(folder / name) != expected["blake2b"]
            if len(content) != expected["bytes"] or differs:
                raise ValueError(f"{name} does not match its checksum")
            parts[part] = tensors.unpack(content)
    return Checkpoint(folder, manifest, parts)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What is said of a checkpoint, verified."""
    manifest = objects.parse(bytes(tensors.map_file(folder / MANIFEST)))
    if manifest.pop("blake2b", None) != _digest(manifest):
        raise ValueError(f"{MANIFEST} does not match its checksum")
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{folder} has format {manifest.get('format')}; this version of Reverie reads {FORMAT}. "
            "Use the version that wrote it.",
            code=64,
        )
    _check_files(manifest.get("files"))
    return manifest


def check(manifest: dict[str, Any]) -> None:
    """ValueError unless it says what `Run.save` says of every checkpoint, and the state is among the files."""
    due, numbers = manifest.get("due"), [manifest.get(name) for name in ("step", "log")]
    numbers += [manifest.get("inserted", 0), *(due.values() if isinstance(due, dict) else [None])]
    seconds = manifest.get("seconds")
    if not all(type(number) is int and number >= 0 for number in numbers) or not isinstance(seconds, int | float):
        raise ValueError(f"{MANIFEST} does not say how far the run was")
    if not isinstance(manifest.get("counters"), dict) or f"{STATE}.safetensors" not in manifest["files"]:
        raise ValueError(f"{MANIFEST} does not hold the state of a run")


def set_aside(folder: Path) -> None:
    """Take a bad checkpoint out of the list, and keep it as `*.bad` for whoever wants to look."""
    target = folder.with_name(f"{folder.name}.bad")
    durable.remove(target)
    durable.replace(folder, target)


def _check_files(files: Any) -> None:
    """Names, sizes and checksums of the files, and of files within the folder alone."""
    if not isinstance(files, dict) or not all(isinstance(it, dict) and it.keys() == _FILE for it in files.values()):
        raise ValueError(f"{MANIFEST} does not say what files there are")
    if any(Path(name).name != name for name in files):
        raise ValueError(f"{MANIFEST} names files outside the checkpoint")


def _order(folder: Path) -> tuple[int, int] | None:
    """Step and repetition, or None for what is no checkpoint."""
    step, _, again = folder.name.partition("-")
    if not (step.isdecimal() and (again.isdecimal() or not again)):
        return None
    return int(step), int(again or 0)


def _digest(manifest: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=32).hexdigest()
