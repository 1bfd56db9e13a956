"""Runs for the page: each under an id that says nothing of its path, read and never disturbed. Free of jax.

Ids are digests of folders that this server has listed itself: what is not listed has no id, so there is no path to be
got wrong. A run may be training, be killed or vanish while it is looked at.
"""

import hashlib
import math
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from reverie.errors import UserError
from reverie.run import checkpoints, log, manifest, runs
from reverie.run.stored import Stored, keeps
from reverie.studio.pictures import pane, rgb
from reverie.types import Sequence

FRESH = 2.0
"""Seconds for which the list of runs holds."""
POINTS = 800
"""Of a curve."""
EPISODES = 500
"""Of a list, the newest."""
WEIGHTS = "weights.safetensors"
"""What a run without its history keeps (`run.exported`, which would load jax)."""
KINDS = {".webp": "image/webp", ".png": "image/png", ".mp4": "video/mp4"}
"""Files of `media` that are shown."""


class Shelf:
    """The runs in a folder, and those that were named.

    Args:
        folder: looked through again and again.
        named: others.
    """

    def __init__(self, folder: Path, named: tuple[Path, ...] = ()) -> None:
        self._folder, self._named = folder.absolute(), tuple(path.absolute() for path in named)
        self._paths: dict[str, Path] = {}
        self._listed = -math.inf
        self._sequences: OrderedDict[tuple[str, int], Sequence] = OrderedDict()

    def paths(self) -> dict[str, Path]:
        """Id -> folder."""
        if time.monotonic() - self._listed > FRESH:
            found = [*self._named, *(path.absolute() for path in runs.directories(self._folder))]
            self._paths = {id_of(path): path for path in found}
            self._listed = time.monotonic()
        return self._paths

    def path(self, id: str) -> Path:
        """The folder of a run; `UserError` where there is none with this id."""
        found = self.paths().get(id)
        if found is None:
            raise UserError("there is no such run on this shelf; it may have been moved.")
        return found

    def hushed(self, text: str) -> str:
        """A text for the page: without the folders that runs are in."""
        known = {str(path): path.name for path in self.paths().values()} | {str(self._folder): self._folder.name}
        known |= {os.environ.get("HOME", ""): "~"}
        for path in sorted(known, key=len, reverse=True):
            text = text.replace(path, known[path]) if len(path) > 1 else text
        return text

    def entries(self) -> list[dict[str, Any]]:
        """Every run, the newest first."""
        found = []
        for id, path in self.paths().items():
            entry = runs.describe(path) | {"id": id, "run": path.name, "keeps": keeps(path)}
            if str(entry["state"]).startswith("broken"):
                entry["state"] = "broken"  # why names the folder
            elif (path / WEIGHTS).is_file():
                entry |= {"state": "weights", "steps": manifest.read(path).get("steps")}
            found.append(entry)
        return _plain(sorted(found, key=lambda entry: (entry["created"] or "", entry["run"]), reverse=True))

    def config(self, id: str) -> dict[str, Any]:
        """Every setting, flat, and what it was made with."""
        about = manifest.read(self.path(id))
        return _plain(dict(_flat("", {name: value for name, value in about.items() if name != "every"})))

    def metrics(self, id: str) -> dict[str, Any]:
        """The curves, each of at most `POINTS` points; read from the log, as it is now."""
        path = self.path(id)
        series: dict[str, tuple[list[float], list[float]]] = {}
        for entry in [*log.read(path / log.FILE), *log.evaluations(path)]:
            step = entry.get("step")
            for name, value in entry.items() if isinstance(step, int) else ():
                if name != "step" and isinstance(value, int | float) and isinstance(step, int):
                    xs, ys = series.setdefault(name, ([], []))
                    xs.append(float(step))
                    ys.append(float(value))
        return _plain({"run": path.name, "series": {name: _thin(*pair) for name, pair in sorted(series.items())}})

    def snapshots(self, id: str) -> dict[str, Any]:
        """The steps as of which its dreams can be seen: of its snapshots, and of its newest checkpoint."""
        path = self.path(id)
        kept, newest = (checkpoints.listed(path / name) for name in (checkpoints.SNAPSHOTS, checkpoints.FOLDER))
        steps = sorted({checkpoints.step_of(folder) for folder in [*kept, *newest[:1]]})
        return {"run": path.name, "world": manifest.read(path).get("environment"), "steps": steps}

    def media(self, id: str) -> list[str]:
        """Names of pictures and films; a number in this list is what they are asked for by."""
        folder = self.path(id) / "media"
        if not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if path.suffix in KINDS and path.is_file())

    def medium(self, id: str, number: int) -> tuple[Path, str]:
        """The file of one, and what it is."""
        names = self.media(id)
        if not 0 <= number < len(names):
            raise UserError(f"this run has {len(names)} pictures, and none with the number {number}.")
        run = self.path(id)
        path = run / "media" / names[number]
        if path.resolve() != run.resolve() / "media" / names[number]:
            raise UserError("a link is not followed.")
        return path, KINDS[path.suffix]

    def episodes(self, id: str) -> dict[str, Any]:
        """Those that the run keeps, the newest first."""
        path = self.path(id)
        if not keeps(path):
            return {"count": 0, "episodes": []}
        found = Stored(path, check=False).episodes
        listed = [
            {
                "number": number,
                "length": episode.length,
                "score": episode.score,
                "ended": "terminated" if episode.terminated else "truncated" if episode.whole else "cut",
            }
            for number, episode in enumerate(found)
            if episode.length  # weights keep beginnings alone
        ]
        return _plain({"count": len(listed), "episodes": listed[-EPISODES:][::-1]})

    def episode(self, id: str, number: int) -> dict[str, Any]:
        """The numbers of one, and whether it has pictures."""
        rows = self._sequence(id, number)
        vectors = {name: np.round(it, 4).tolist() for name, it in rows.observation.items() if it.ndim == 2}
        pictures = any(it.ndim == 4 for it in rows.observation.values())
        return _plain(
            {
                "rows": len(rows.reward),
                "rewards": rows.reward.tolist(),
                "actions": rows.action.tolist(),
                "pictures": pictures,
                "vectors": vectors,
            }
        )

    def picture(self, id: str, number: int, row: int) -> tuple[bytes, int, int]:
        """One row of one: JPEG or bytes of pixels, as panes are."""
        rows = self._sequence(id, number)
        images = next((it for _, it in sorted(rows.observation.items()) if it.ndim == 4), None)
        if images is None or not 0 <= row < len(images):
            raise UserError("there is no such picture.")
        found = pane("reality", rgb(images[row]))
        return found.content, found.width, found.height

    def _sequence(self, id: str, number: int) -> Sequence:
        if (id, number) not in self._sequences:
            self._sequences[id, number] = Stored(self.path(id), check=False).sequence(number)
            while len(self._sequences) > 4:
                self._sequences.popitem(last=False)
        return self._sequences[id, number]


def id_of(path: Path) -> str:
    """A name for a folder that does not say which."""
    return hashlib.blake2b(str(path.absolute()).encode(), digest_size=8).hexdigest()


def _thin(xs: list[float], ys: list[float]) -> dict[str, list[float]]:
    """Every k-th point, and the last."""
    every = -(-len(xs) // POINTS)
    places = sorted({*range(0, len(xs), every), len(xs) - 1})
    return {"x": [xs[place] for place in places], "y": [ys[place] for place in places]}


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [pair for name, inner in value.items() for pair in _flat(f"{prefix}.{name}" if prefix else name, inner)]
    return [(prefix, value)]


def _plain(value: Any) -> Any:
    """As JSON has it: what is not finite is null."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
