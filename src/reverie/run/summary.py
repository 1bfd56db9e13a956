"""Stored experience in numbers: its arrays, its episodes, its actions. One pass over the chunks.

Lengths, returns and ends are those of whole episodes. Actions are those that were executed, so none of last rows.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from reverie.run.stored import Stored


def summary(stored: Stored) -> dict[str, Any]:
    """Rows, arrays, episodes and actions, as JSON has them but for numbers that are not finite."""
    arrays: dict[str, Range] = {}
    actions: list[Counter[int]] | list[Range] = []
    for _, rows in stored.pieces():
        for name in sorted(rows):
            arrays.setdefault(name, Range()).add(rows[name])
        executed = rows["action"][~(rows["terminated"] | rows["truncated"])]
        if executed.dtype.kind == "f":
            actions = actions or [Range() for _ in executed.T]
        else:
            actions = actions or [Counter() for _ in executed.T]
        for found, values in zip(actions, executed.T, strict=True):
            found.add(values) if isinstance(found, Range) else found.update(values.tolist())
    layout = stored.layout
    return {
        **extent(stored),
        "arrays": [
            {"array": name, "dtype": layout[name][1], "shape": list(layout[name][0]), **found.to_json()}
            for name, found in arrays.items()
        ],
        "episodes": _episodes(stored),
        "actions": [_action(element, found) for element, found in enumerate(actions)],
        "troubles": [str(trouble) for trouble in stored.troubles],
    }


def extent(stored: Stored) -> dict[str, Any]:
    """How much there is, and since when."""
    ids = stored.marks["ids"]
    return {
        "rows": len(ids),
        "streams": stored.streams,
        "oldest": int(ids.min()) if len(ids) else None,
        "newest": int(ids.max()) if len(ids) else None,
        "bytes": stored.size,
    }


class Range:
    """Least, most and mean of numbers that come in pieces; a NaN is all three."""

    def __init__(self) -> None:
        self._least, self._most, self._sum, self._count = np.inf, -np.inf, 0.0, 0

    def add(self, values: np.ndarray) -> None:
        if not values.size:
            return
        with np.errstate(all="ignore"):
            self._least = np.minimum(self._least, values.min())
            self._most = np.maximum(self._most, values.max())
            self._sum += float(values.sum(dtype=np.float64))
        self._count += values.size

    def to_json(self) -> dict[str, float | None]:
        if not self._count:
            return dict.fromkeys(("minimum", "maximum", "mean"))
        return {"minimum": float(self._least), "maximum": float(self._most), "mean": self._sum / self._count}


def _episodes(stored: Stored) -> dict[str, Any]:
    whole = [episode for episode in stored.episodes if episode.whole]
    return {
        "whole": len(whole),
        "cut": len(stored.episodes) - len(whole),
        "length": _spread([episode.length for episode in whole]),
        "return": _spread([episode.score for episode in whole]),
        "terminated": float(np.mean([episode.terminated for episode in whole])) if whole else None,
        "truncated": float(np.mean([not episode.terminated for episode in whole])) if whole else None,
    }


def _spread(values: Sequence[float | int]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys(("mean", "least", "most"))
    return {"mean": float(np.mean(values)), "least": min(values), "most": max(values)}


def _action(element: int, found: Counter[int] | Range) -> dict[str, Any]:
    """One element of the actions: the range of a number, or how often each choice was made."""
    if isinstance(found, Range):
        return {"element": element, **found.to_json()}
    return {"element": element, "choices": {str(choice): found[choice] for choice in sorted(found)}}
