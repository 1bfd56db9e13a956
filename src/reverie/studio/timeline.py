"""Every moment of a play, as a tree: what was dreamt stays, one may go back to it, and go on from there otherwise.

    0 begin -- 1 -- 2 -- 3 -- 4            branch 0
                    \\-- 5 -- 6            branch 1, from moment 2

A moment's number says when it came; its dice are that number too, so that a branch is dreamt with dice of its own.
States are small, pictures are not: those are decoded again. Free of jax.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reverie.studio.wire import HOWS

FULL = 512 * 2**20
"""Bytes of states after which a timeline takes no more."""

BRANCHES = 60
"""Of an outline, besides the first."""


@dataclass(frozen=True)
class Moment:
    """A state, and how it came about."""

    number: int
    parent: int
    """-1 of the first."""
    branch: int
    depth: int
    how: str
    action: np.ndarray | None
    """That led here, in the model's form; None where none did."""
    dice: int
    temperature: float
    state: Any
    """Of the model, on the host."""
    numbers: np.ndarray
    """float32: what the heads say (`mind.NUMBERS`)."""
    dreamt: int
    """Steps since the state last looked."""


class Timeline:
    """The moments of one beginning; `size` is what a state takes."""

    def __init__(self, size: int) -> None:
        self._size = max(1, size)
        self._children: dict[int, int] = {}
        self.moments: list[Moment] = []
        self.branches: list[tuple[int, int]] = []
        """(the moment that it leaves, its last moment) of each; -1 for the first."""

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, number: int) -> Moment:
        return self.moments[number]

    @property
    def is_full(self) -> bool:
        """Whether another state would be one too many."""
        return (len(self.moments) + 1) * self._size > FULL

    def add(
        self, parent: int, how: str, action: np.ndarray | None, state: Any, numbers: np.ndarray, *,
        temperature: float = 1.0, dice: int | None = None,
    ) -> Moment:  # fmt: skip
        """A moment after another one: on its branch, if it is the first to follow, else on a branch of its own.

        What is changed by hand begins a branch too.
        """
        assert how in HOWS
        number, before = len(self.moments), self.moments[parent] if parent >= 0 else None
        if before is None or parent in self._children or (how == "edit" and before.how != "edit"):
            branch = len(self.branches)
            self.branches.append((parent, number))
        else:
            branch = before.branch
            self.branches[branch] = (self.branches[branch][0], number)
        self._children[parent] = number
        depth = 0 if before is None else before.depth + (how != "edit")
        dreamt = before.dreamt + (how == "dream") if before is not None and how in ("dream", "edit") else 0
        moment = Moment(
            number, parent, branch, depth, how, action, number if dice is None else dice, temperature, state, numbers,
            dreamt,
        )  # fmt: skip
        self.moments.append(moment)
        return moment

    def is_last(self, number: int) -> bool:
        """Whether nothing follows it."""
        return number not in self._children

    def change(self, number: int, state: Any, numbers: np.ndarray) -> Moment:
        """Another state in place of a moment's that nothing follows."""
        assert self.is_last(number)
        self.moments[number] = replace(self.moments[number], state=state, numbers=numbers)
        return self.moments[number]

    def path(self, number: int) -> list[Moment]:
        """From the first moment to this one."""
        return list(self._upwards(number))[::-1]

    def tip(self, branch: int) -> int:
        """The last moment of a branch."""
        return self.branches[branch][1]

    def outline(self, at: int, picture: Callable[[int], str]) -> dict[str, Any]:
        """The tree as the page draws it: the first branch and the newest, each with a picture of its last moment."""
        numbered = list(enumerate(self.branches))
        branches = [
            {
                "branch": branch,
                "parent": self.moments[left].branch if left >= 0 else -1,
                "leaves": self.moments[left].depth if left >= 0 else 0,
                "tip": tip,
                "depth": self.moments[tip].depth,
                "picture": picture(tip),
            }
            for branch, (left, tip) in numbered[:1] + numbered[1:][-BRANCHES:]
        ]
        return {"at": at, "branch": self.moments[at].branch, "branches": branches}

    def _upwards(self, number: int) -> Iterator[Moment]:
        while number >= 0:
            yield self.moments[number]
            number = self.moments[number].parent
