"""How long a run lasts: in simulator steps, or in time, which becomes steps once it is over."""

import math
import re
from dataclasses import dataclass

from reverie.errors import UserError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Budget:
    """Steps, or seconds of run time over all restarts; steps count if both are set."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.seconds is None:
            raise UserError("A run needs an end: give --steps N or --budget 10m.")
        if self.steps is not None and (isinstance(self.steps, bool) or not isinstance(self.steps, int)):
            raise UserError(f"steps is a whole number, got {self.steps!r}.")
        if self.steps is not None and self.steps <= 0:
            raise UserError(f"A run of {self.steps} steps has no end to train until: give --steps 1 or more.")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise UserError(f"A run of {self.seconds:g} seconds is none: give --budget 90s, 10m or 2h.")

    def fraction(self, step: int, seconds: float) -> float:
        """How much is used up; 1 or more is the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return seconds / self.seconds


def parse_duration(text: str) -> float:
    """Seconds in `90s`, `10m`, `2h`, `1h30m`, `1d` or `45` (seconds)."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise UserError(f"{text!r} is no duration; write it like 90s, 10m, 2h or 1h30m.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
