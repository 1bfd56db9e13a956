"""The runs in a folder: what they are, how far they are, and finding one by name. Free of jax."""

from pathlib import Path
from typing import Any

from reverie.errors import UserError
from reverie.run import lock, log, manifest

FOLDER = Path("runs")
"""Where runs go unless said otherwise."""


def list_runs(folder: str | Path = FOLDER) -> list[dict[str, Any]]:
    """One entry per run, oldest first: run, method, environment, size, seed, steps, score, state.

    `state` is `running`, `finished`, `stopped`, `new`, or `broken: why`.
    """
    folder = Path(folder)
    found = [path.parent for path in folder.glob(f"*/{manifest.FILE}")] if folder.is_dir() else []
    entries = [describe(directory) for directory in found]
    return sorted(entries, key=lambda entry: (entry["created"] or "", entry["run"]))


def describe(directory: str | Path) -> dict[str, Any]:
    """The entry of one run."""
    directory = Path(directory)
    empty = dict.fromkeys(("method", "environment", "size", "seed", "steps", "score", "created"))
    try:
        about = manifest.read(directory)
        entries = log.read(directory / log.FILE)
    except (UserError, OSError) as error:
        return {"run": str(directory), **empty, "state": f"broken: {error}"}
    steps = entries[-1].get("step", 0) if entries else 0
    known = {name: about.get(name) for name in ("method", "environment", "size", "seed", "created")}
    state = _state(directory, about, steps)
    return {"run": str(directory), **empty, **known, "steps": steps, "score": score(entries), "state": state}


def score(entries: list[dict[str, Any]]) -> float | None:
    """The last `score` logged (an evaluation's mean); before one, the mean of the last ten `return`s of training."""
    for entry in reversed(entries):
        if isinstance(entry.get("score"), int | float):
            return float(entry["score"])
    returns = [entry["return"] for entry in entries if isinstance(entry.get("return"), int | float)][-10:]
    return sum(returns) / len(returns) if returns else None


def find(name: str | Path, folder: str | Path = FOLDER) -> Path:
    """The run that is meant by a path, a name in the folder, or the beginning of one."""
    for path in (Path(name), Path(folder) / name):
        if (path / manifest.FILE).exists():
            return path
    names = sorted(path.parent.name for path in Path(folder).glob(f"*/{manifest.FILE}"))
    matching = [known for known in names if known.startswith(str(name))]
    if len(matching) == 1:
        return Path(folder) / matching[0]
    if matching:
        raise UserError(f"{str(name)!r} is the beginning of several runs: {', '.join(matching)}. Say more of its name.")
    known = f"There are {', '.join(names)}" if names else f"There is none in {folder}/"
    raise UserError(f"No run {str(name)!r}. {known}; `reverie train --help` says how to make one.")


def _state(directory: Path, about: dict[str, Any], steps: int) -> str:
    if lock.is_held(directory):
        return "running"
    if not steps:
        return "new"
    return "finished" if about.get("steps") is not None and steps >= about["steps"] else "stopped"
