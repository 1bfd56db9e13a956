"""`manifest.json`: what a run is. Written when it is created; afterwards only its end (`steps`, `budget`) may move.

method, environment, seed, size, config (nested) ...   what it is: opened with anything else, a run refuses
steps, budget                                          where it ends: simulator steps, or seconds; may grow
versions, created, every                               for the record; never compared
blake2b                                                of all the above; who changes the file by hand takes it out

Anything else is refused, so that nothing in a file can mean more to some version than it does to this one.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import python_version
from types import NoneType
from typing import Any

from reverie.data import durable, objects
from reverie.errors import UserError

FILE = "manifest.json"
FORMAT = 1

_END = ("steps", "budget")
_RECORD = ("versions", "created", "every", "format")
_FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("method", "environment", "size", "created"), (str,)),
    **dict.fromkeys(("config", "environment_config", "versions", "every"), (dict,)),
    **dict.fromkeys(("seed", "format"), (int,)),
    "steps": (int, NoneType),
    "budget": (int, float, NoneType),
}


def write(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write it as it is, and its checksum."""
    signed = {**manifest, "blake2b": _digest(manifest)}
    durable.write(directory / FILE, (json.dumps(signed, indent=1) + "\n").encode())


def read(directory: Path) -> dict[str, Any]:
    """Read it; `UserError` where there is none or it is damaged."""
    path = directory / FILE
    if not path.exists():
        raise UserError(f"{directory} is no run: it has no {FILE}. `reverie runs` lists the runs there are.")
    try:
        manifest = objects.parse(path.read_bytes())
        _verify(manifest)
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}). Restore it from a copy, or start again with --new.", code=64
        ) from error
    if manifest.get("format") != FORMAT:
        raise UserError(
            f"{path} has format {manifest.get('format')}; this version of Reverie reads {FORMAT}. "
            "Use the version that wrote it.",
            code=64,
        )
    for name, value in manifest.items():
        if name not in _FIELDS:
            raise UserError(f"{path} has a field {name!r}, which is none of a run. Take it out.", code=64)
        if not isinstance(value, _FIELDS[name]) or isinstance(value, bool):
            raise UserError(f"{path} says that {name!r} is {value!r}. Restore it from a copy.", code=64)
    missing = [name for name in ("seed", *_END) if name not in manifest]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}. Restore it from a copy.", code=64)
    if not all(type(often) in (int, float) and often >= 0 for often in manifest.get("every", {}).values()):
        raise UserError(f"{path} says that 'every' is {manifest['every']}. Restore it from a copy.", code=64)
    return manifest


def completed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON would give it back, with the versions and the date filled in."""
    record = {"format": FORMAT, "created": datetime.now(UTC).isoformat(timespec="seconds"), "versions": _versions()}
    return json.loads(json.dumps({"steps": None, "budget": None, **manifest, **record}))


def continued(
    old: Mapping[str, Any], new: Mapping[str, Any], directory: Path, defaults: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The manifest of an existing run that is opened with `new`; `UserError` where the two cannot be the same run.

    `defaults` are what settings were that a run knew nothing of.
    """
    then = dict(_flat("", json.loads(json.dumps(defaults or {}))))
    differences = list(_differences(then | _compared(old), _compared(new)))
    if differences:
        raise UserError(
            f"{directory} holds a run with other settings:\n  " + "\n  ".join(differences) + "\n"
            "Start afresh with --new, choose another folder with --run, or repeat the old settings."
        )
    merged = dict(old)
    steps, budget = new.get("steps"), new.get("budget")
    if steps is not None:
        if old.get("steps") is not None and steps < old["steps"]:
            raise UserError(
                f"{directory} goes to {old['steps']} steps already, asked were {steps}. "
                "Give at least that many, or start afresh with --new."
            )
        merged["steps"] = steps
    elif budget is not None and old.get("steps") is not None and old.get("budget") is None:
        raise UserError(f"{directory} goes to {old['steps']} steps; give more of those, --steps, not a time.")
    elif budget is not None and budget > (old.get("budget") or 0):
        merged |= {"steps": None, "budget": budget}
    return merged


def _verify(manifest: dict[str, Any]) -> None:
    """Take out the checksum; ValueError where it does not match."""
    found = manifest.pop("blake2b", None)
    if found is not None and found != _digest(manifest):
        raise ValueError("its checksum differs")


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()


def _compared(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a run this run, flat, with dotted names."""
    chosen = {name: value for name, value in manifest.items() if name not in (*_END, *_RECORD)}
    return dict(_flat("", chosen))


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in _flat(f"{prefix}.{name}" if prefix else name, inner)]
    return [(prefix, value)]


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    absent = "absent"
    return [
        f"{name}: {old.get(name, absent)!r} there, {new.get(name, absent)!r} asked"
        for name in sorted(old.keys() | new.keys())
        if old.get(name, absent) != new.get(name, absent)
    ]


def _versions() -> dict[str, str]:
    """Of what the numbers depend on, as far as it is installed."""
    versions = {"python": python_version()}
    for package in ("reverie", "jax", "jaxlib", "equinox", "optax", "numpy", "gymnasium"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
