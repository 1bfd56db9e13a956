"""What a pool of `FaultyEnv` must show, by its rules alone: a few lines of Python without processes or arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reliability.faulty import LENGTH, Fault
from reverie.envs.pool import episode_seed

RAISING = ("raise", "key", "assert", "memory", "recursion", "end of file", "stop iteration", "sys.exit")
DEADLY = ("segfault", "abort", "_exit", "kill", "orphan", "hang", "stop")
HANGING = ("hang", "stop")
"""Of these; where there are other workers, nobody waits for what comes after them."""
HARMLESS = ("slow", "leak", "both ends")
IN_PLACE = ("nan", "inf", "-inf", "huge", "nan and reward nan")
IN_REWARD = ("reward nan", "reward inf", "reward huge", "nan and reward nan")
NOT_FINITE = (*IN_PLACE, *IN_REWARD[:3])


class Row(NamedTuple):
    """A row of one environment, with the seed as it shows it."""

    is_first: bool
    shown: int
    time: float
    reward: float
    terminated: bool
    truncated: bool


class Oracle:
    """Plays the pool's part.

    Args:
        script: the faults.
        count, workers: of the pool.
        policy: what happens to values that are not finite: `truncate` or `sanitise`.
    """

    def __init__(self, script: Sequence[Fault], count: int, workers: int, policy: str) -> None:
        self.faults = {(fault.line, fault.episode, fault.step): fault.kind for fault in script}
        self.crews = [[int(line) for line in crew] for crew in np.array_split(np.arange(count), workers or 1)]
        self.policy = policy
        self.episode, self.clock = [-1] * count, [-1] * count
        self.rows: list[Row | None] = [None] * count
        self.mended_now = [False] * count
        self.failures = self.mended = 0

    def step(self) -> list[Row]:
        """The next row of every environment."""
        for crew in self.crews:
            for line in crew:
                row = self.rows[line]
                if row is None or row.terminated or row.truncated:
                    self._begin(line)
            self._round(crew, crew)
        self.mended += sum(self.mended_now)
        return [row for row in self.rows if row]

    def _begin(self, line: int) -> None:
        self.episode[line] += 1
        self.clock[line] = -1

    def _round(self, crew: list[int], lines: list[int]) -> None:
        """Lines act in order; a death takes the whole crew along; whoever failed begins its next episode at once."""
        failed: list[int] = []
        for line in lines:
            self.clock[line] += 1
            kind = self.faults.get((line, self.episode[line], self.clock[line]), "")
            if kind in DEADLY:
                failed = crew
                break
            if kind in RAISING or self._cannot_begin(line, kind):
                failed = [*failed, line]
            else:
                self._answer(line, kind)
        if failed:
            self.failures += 1
            for line in failed:
                self._begin(line)
            self._round(crew, failed)

    def _cannot_begin(self, line: int, kind: str) -> bool:
        return self.clock[line] == 0 and kind in NOT_FINITE and self.policy == "truncate"

    def _answer(self, line: int, kind: str) -> None:
        clock, before = self.clock[line], self.rows[line]
        self.mended_now[line] = kind in NOT_FINITE
        last = before.time if before and clock else 0
        shown = episode_seed(0, line, self.episode[line]) % 1000
        if kind in NOT_FINITE and self.policy == "truncate":
            self.rows[line] = Row(False, shown, last, 0, False, True)
            return
        time = last if kind in IN_PLACE else clock
        reward = 0 if kind in IN_REWARD else clock
        both = kind == "both ends"
        self.rows[line] = Row(clock == 0, shown, time, reward, both or clock == LENGTH, both)
