"""The ledger: `results/` holds one JSON per claim, and a claim says how to run it again.

    name, method, environment, size, steps     what was run; steps of the simulator
    repeat                                     simulator steps per action
    config, environment_config                 every setting by its path (one that is missing is the size's own)
    script                                     where another library's agent learned in the run's dream: what trains it
    goal                                       threshold, how many seeds must reach it, and by what: their mean, the low
                                               end of the confidence interval of their mean, or the gap to their dreams
    seeds                                      per seed: wall-clock, learning curve, returns of the evaluation episodes
                                               with their mean, standard deviation and 95 % confidence interval; of an
                                               agent that learned in dreams, the returns of as many of those
    met                                        whether the goal is reached; follows from the rest, written for readers
    hardware, versions, commit, date           where these numbers come from

Only finite numbers, no other text; a row that does not read back to itself is not written. Elsewhere: running a claim
(`cli/verify.py`), the returns themselves (`evaluate/returns.py`).
"""

import dataclasses
import datetime
import itertools
import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from reverie.data import durable
from reverie.errors import UserError

MEASURES = ("mean", "low", "gap")


@dataclass(frozen=True)
class Goal:
    """What is claimed of the evaluation returns."""

    threshold: float
    """What a seed must reach."""
    needed: int
    """How many of the seeds must reach it."""
    measure: str = "mean"
    """`mean`: of the evaluation episodes; `low`: the lower end of the mean's 95 % confidence interval; `gap`: by how
    much the mean of its dreams is above the mean, which is what an agent that cheats in them shows."""

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise UserError(f"a goal is measured by one of {', '.join(MEASURES)}, not by {self.measure!r}.")
        if self.needed < 1:
            raise UserError(f"a goal needs at least one seed to reach it, got {self.needed}.")

    def reached(self, seed: "Seed") -> bool:
        if self.measure == "gap":
            return bool(seed.dreamed) and sum(seed.dreamed) / len(seed.dreamed) - seed.mean >= self.threshold
        return (seed.mean if self.measure == "mean" else seed.confidence[0]) >= self.threshold

    def met(self, seeds: Sequence["Seed"]) -> bool:
        return sum(map(self.reached, seeds)) >= self.needed

    def scaled(self, seeds: int, of: int) -> "Goal":
        """The same share of fewer seeds, rounded up: 4 of 5 are 1 of 1, 2 of 2, 3 of 3."""
        return dataclasses.replace(self, needed=min(seeds, math.ceil(self.needed * seeds / of)))


@dataclass(frozen=True)
class Seed:
    """One finished run and its evaluation."""

    seed: int
    wall_clock: float
    """Seconds of training."""
    mean: float
    std: float
    confidence: tuple[float, float]
    returns: tuple[float, ...]
    curve: tuple[tuple[int, float], ...]
    """(simulator step, return of the training episodes that ended there); of an evolution, (generation, score)."""
    dreamed: tuple[float, ...] = ()
    """Of an agent that learned in dreams, the returns of as many of those."""


@dataclass(frozen=True)
class Claim:
    """One row of the ledger."""

    name: str
    method: str
    environment: str
    size: str
    steps: int
    repeat: int
    goal: Goal
    config: Mapping[str, Any] = field(default_factory=dict)
    environment_config: Mapping[str, Any] = field(default_factory=dict)
    script: str = ""
    """What trains the agent in the dream of the run, where the method does not (`cli/outsider.py`)."""
    seeds: tuple[Seed, ...] = ()
    hardware: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    date: str = ""

    @property
    def met(self) -> bool:
        return self.goal.met(self.seeds)

    def to_json(self) -> str:
        """Every list of numbers on one line: a row is read by people too."""
        row = dataclasses.asdict(self) | {"met": self.met}
        return _indent(row) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "the row") -> "Claim":
        """Reads a row; what is missing, unknown or of another kind is said."""
        try:
            row: dict[str, Any] = json.loads(text)
            stated = row.pop("met")
            seeds = tuple(_seed(entry) for entry in row.pop("seeds"))
            claim = cls(**row | {"goal": _goal(row["goal"]), "seeds": seeds})
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            message = f"{where} is no row of the ledger: {error!r}. Compare it with a row that works."
            raise UserError(message, code=65) from error
        if stated != claim.met:
            raise UserError(f"{where} states met = {stated}, but its own numbers say {claim.met}.", code=65)
        return claim


def read(row: str | Path, folder: Path = Path("results")) -> tuple[Path, Claim]:
    """A row by its path or by its name in the folder."""
    path = Path(row) if Path(row).suffix == ".json" else folder / f"{row}.json"
    if not path.is_file():
        known = sorted(entry.stem for entry in folder.glob("*.json"))
        remedy = f"The rows of {folder} are {', '.join(known)}." if known else f"There are no rows in {folder}."
        raise UserError(f"there is no row {path}. {remedy}")
    return path, Claim.from_json(path.read_text(), where=str(path))


def write(claim: Claim, path: Path) -> None:
    """Replaces the row at once or not at all."""
    text = claim.to_json()
    if Claim.from_json(text) != claim:
        raise ValueError(f"{path}: the row does not read back to itself")
    durable.write(path, text.encode())


def thinned(curve: Sequence[tuple[int, float]], points: int = 100) -> tuple[tuple[int, float], ...]:
    """A learning curve of at most so many points: means of neighbouring episodes, at the step of the last of them."""
    parts = min(points, len(curve))
    borders = [round(part * len(curve) / parts) for part in range(parts + 1)] if parts else [0]
    groups = [curve[low:high] for low, high in itertools.pairwise(borders)]
    return tuple((group[-1][0], round(sum(value for _, value in group) / len(group), 4)) for group in groups)


def provenance(devices: Sequence[str] = ()) -> dict[str, Any]:
    """Where and by what numbers of now come about: `hardware`, `versions`, `commit`, `date`."""
    packages = ("reverie", "jax", "jaxlib", "equinox", "numpy", "gymnasium")
    hardware = {"processor": _processor(), "cores": _cores(), "system": platform.system(), "devices": list(devices)}
    versions = {"python": platform.python_version()} | {name: _version(name) for name in packages}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {"hardware": hardware, "versions": versions, "commit": _commit(), "date": today}


def _seed(entry: dict[str, Any]) -> Seed:
    """JSON does not tell 500.0 from 500."""
    low, high = entry["confidence"]
    numbers: dict[str, Any] = {name: float(entry[name]) for name in ("wall_clock", "mean", "std")}
    numbers["returns"] = tuple(float(value) for value in entry["returns"])
    numbers["dreamed"] = tuple(float(value) for value in entry.get("dreamed", ()))
    numbers["curve"] = tuple((int(step), float(value)) for step, value in entry["curve"])
    numbers["confidence"] = (float(low), float(high))
    return Seed(**entry | numbers)


def _goal(entry: dict[str, Any]) -> Goal:
    numbers: dict[str, Any] = {"threshold": float(entry["threshold"])}
    return Goal(**entry | numbers)


def _indent(value: Any, depth: int = 0) -> str:
    """JSON with two spaces per level, but what holds no object on a single line."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    if not any(isinstance(element, dict) for element in inner) and not (isinstance(value, dict) and depth == 0):
        return json.dumps(value, allow_nan=False)
    pad, close = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(key)}: {_indent(element, depth + 1)}" for key, element in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{close}}}"
    return "[\n" + ",\n".join(pad + _indent(element, depth + 1) for element in value) + f"\n{close}]"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    """Of the checkout that this file belongs to, with `+` where its package was edited; nothing outside a checkout."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("rev-parse", "HEAD") + ("+" if _git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*words: str) -> str:
    folder = Path(__file__).parent
    return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
