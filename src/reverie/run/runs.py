"""The runs in a folder: what they are, how far they are, and finding one by name. Free of jax."""

from pathlib import Path
from typing import Any

from reverie.errors import UserError
from reverie.run import checkpoints, lock, log, manifest

FOLDER = Path("runs")
"""Where runs go unless said otherwise."""
WEIGHTS = "weights"
"""What the names of trained agents begin with that come along, in the package or in a clone of it."""
PLAYED = "played"
"""The method, and the state, of a folder that the studio kept of a play: rows, and no agent."""


def list_runs(folder: str | Path = FOLDER) -> list[dict[str, Any]]:
    """One entry per run in a folder and below it, oldest first.

    Each has run, method, environment, size, seed, steps, score, created and state;
    `state` is `running`, `finished`, `stopped`, `new`, `played`, or `broken: why`.
    """
    entries = [describe(directory) for directory in directories(folder)]
    return sorted(entries, key=lambda entry: (entry["created"] or "", entry["run"]))


def directories(folder: str | Path = FOLDER) -> list[Path]:
    """The run folders in a folder and below it; the folder itself, if it is one."""
    folder = Path(folder)
    return [folder] if (folder / manifest.FILE).is_file() else _directories(folder)


def describe(directory: str | Path) -> dict[str, Any]:
    """The entry of one run."""
    directory = Path(directory)
    empty = dict.fromkeys(("method", "environment", "size", "seed", "steps", "score", "created"))
    try:
        about = manifest.read(directory)
        entries = log.read(directory / log.FILE)
        evaluations = log.evaluations(directory)
        newest = checkpoints.listed(directory / checkpoints.FOLDER)[:1]
        logged = [entry["step"] for entry in entries[-1:] if isinstance(entry.get("step"), int)]
        steps = max([checkpoints.step_of(path) for path in newest] + logged, default=0)
        state = _state(directory, about, steps)
        steps = about.get("steps", 0) if state == PLAYED else steps
    except (UserError, OSError) as error:
        return {"run": str(directory), **empty, "state": f"broken: {error}"}
    known = {name: about.get(name) for name in ("method", "environment", "size", "seed", "created")}
    return {
        "run": str(directory),
        **empty,
        **known,
        "steps": steps,
        "score": score(entries + evaluations),
        "state": state,
    }


def score(entries: list[dict[str, Any]]) -> float | None:
    """The mean of the last evaluation; before there is one, of the last ten episodes of training."""
    for name, count in (("evaluation/mean", 1), ("episode/return", 10)):
        values = [entry[name] for entry in entries if isinstance(entry.get(name), int | float)][-count:]
        if values:
            return sum(values) / len(values)
    return None


def find(name: str | Path, folder: str | Path = FOLDER) -> Path:
    """The run that is meant by a path, a name in the folder, or the beginning of one."""
    package = Path(__file__).parents[1]
    ours = [package / name, package.parents[1] / name] if Path(name).parts[:1] == (WEIGHTS,) else []
    for path in (Path(name), Path(folder) / name, *ours):
        if (path / manifest.FILE).exists():
            return path
    names = sorted(path.name for path in _directories(Path(folder)) if path.parent == Path(folder))
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
    if about.get("method") == PLAYED:
        return PLAYED
    if not steps:
        return "new"
    return "finished" if about.get("steps") is not None and steps >= about["steps"] else "stopped"


def _directories(folder: Path) -> list[Path]:
    """The run folders in a folder, and below those that are none."""
    found: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / manifest.FILE).exists():
            found.append(path)
        elif path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            found += _directories(path)
    return found
