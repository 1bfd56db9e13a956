"""The live display of a run: step, return, losses, steps per second, remaining time.

On a terminal a bar that redraws itself; elsewhere one plain line every ten seconds; for a machine one JSON object per
report. It is a hook: the run calls it with a step and the scalars it has just logged, as often as it likes.
"""

import io
import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO, cast

from reverie.run.budget import Budget

Stream = TextIO | io.TextIOBase
"""What can be written to and says whether it is a terminal."""
PLAIN_EVERY = 10.0
"""Seconds between two lines where nobody can redraw."""
WINDOW = 30.0
"""Seconds over which speed is measured: long enough for a steady number, short enough to forget compilation soon."""


class Pace:
    """How far a run is, how fast it goes, and when it will end.

    Args:
        budget: where it ends.
        spent: seconds of the run so far, over all restarts.
        clock: seconds, ever growing.
    """

    def __init__(self, budget: Budget, spent: Callable[[], float], clock: Callable[[], float]) -> None:
        self.budget = budget
        self.spent = spent
        self.clock = clock
        self.samples: deque[tuple[float, int]] = deque()
        self.shares: deque[tuple[float, float]] = deque()
        """Of a stage that makes no steps: how far it is, from 0 to 1."""

    def update(self, step: int, share: float | None = None) -> None:
        now = self.clock()
        self.samples.append((now, step))
        if share is not None:
            if self.shares and share < self.shares[-1][1]:
                self.shares.clear()  # another stage
            self.shares.append((now, share))
        for samples in (self.samples, self.shares):
            while len(samples) > 2 and now - samples[0][0] > WINDOW:
                samples.popleft()

    @property
    def step(self) -> int:
        return self.samples[-1][1] if self.samples else 0

    @property
    def fraction(self) -> float:
        """0 at the beginning, 1 at the end."""
        return min(1.0, self.budget.fraction(self.step, self.spent()))

    @property
    def rate(self) -> float | None:
        """Steps per second over the window; None until a step was made in it."""
        if len(self.samples) < 2:
            return None
        (then, before), (now, after) = self.samples[0], self.samples[-1]
        return (after - before) / (now - then) if now > then and after > before else None

    @property
    def remaining(self) -> float | None:
        """Seconds, by the budget's own clock or by the speed."""
        if self.budget.steps is None:
            return max(0.0, (self.budget.seconds or 0.0) - self.spent())
        return max(0, self.budget.steps - self.step) / self.rate if self.rate else None

    @property
    def left_of_stage(self) -> float | None:
        """Seconds, by the share of its work that was done in the window; None without a stage."""
        if len(self.shares) < 2:
            return None
        (then, before), (now, after) = self.shares[0], self.shares[-1]
        return (1 - after) * (now - then) / (after - before) if after > before else None

    def describe(self) -> tuple[str, str]:
        """("12,400 of 30,000", "97 steps/s   3:01 left"), or of a stage "3:01 left of this stage"."""
        total = duration(self.budget.seconds) if self.budget.steps is None else f"{self.budget.steps:,}"
        waiting = "compiling ..." if self.fraction < 1 and not self.shares else ""
        if self.left_of_stage is not None:
            return f"{self.step:,} of {total}", f"{duration(self.left_of_stage)} left of this stage"
        left = "" if self.remaining is None else f"   {duration(self.remaining)} left"
        return f"{self.step:,} of {total}", (f"{self.rate:.0f} steps/s" if self.rate else waiting) + left


def duration(seconds: float | None) -> str:
    """283.0 -> "4:43"; None -> "?"."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def describe(scalars: Mapping[str, Any]) -> str:
    """The stage, the return and every loss, shortly: "vision 40 %   return 187.0   loss: reward 0.21  value 1.3"."""
    parts = [
        f"{name.partition('/')[2]} {100 * value:.0f} %" for name, value in scalars.items() if name.startswith("done/")
    ]
    returns = [value for name, value in scalars.items() if name.rsplit("/", 1)[-1] == "return"]
    if returns:
        parts.append(f"return {returns[-1]:.1f}")
    losses = {name.split("/", 1)[1]: value for name, value in scalars.items() if name.startswith("loss/")}
    if losses:
        parts.append("loss: " + "  ".join(f"{name} {value:.3g}" for name, value in losses.items()))
    return "   ".join(parts)


class Progress:
    """`with Progress(run.budget, lambda: run.seconds, stream) as run.progress: ...`

    Args:
        budget: where the run ends.
        spent: seconds of the run so far.
        stream: where to write; a terminal gets the live bar.
        machine: one JSON object per report instead.
        clock: seconds, ever growing.
        unheard: called once when the stream takes nothing any more; nothing is written afterwards.
    """

    def __init__(
        self,
        budget: Budget,
        spent: Callable[[], float],
        stream: Stream,
        *,
        machine: bool = False,
        clock: Callable[[], float] = time.monotonic,
        unheard: Callable[[], None] = lambda: None,
    ) -> None:
        self.pace = Pace(budget, spent, clock)
        self.stream = stream
        self.machine = machine
        self.clock = clock
        self.unheard = unheard
        self.error: OSError | None = None
        self.latest: dict[str, Any] = {}
        self.printed = -math.inf
        self.unprinted = False
        self.bar = None if machine or not stream.isatty() else Bar(stream)

    def __enter__(self) -> "Progress":
        if self.bar is not None:
            self.bar.live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self.bar is not None:
            self.bar.live.stop()
        elif self.unprinted and not self.machine:
            self.write(self.line())

    def __call__(self, step: int, scalars: Mapping[str, Any]) -> None:
        self.pace.update(step, next((value for name, value in scalars.items() if name.startswith("done/")), None))
        if any(name.startswith("done/") and name not in self.latest for name in scalars):
            self.latest.clear()  # another stage
        self.latest.update(scalars)
        if self.machine:
            self.report(step, scalars)
        elif self.bar is not None:
            self.bar.update(self.pace, describe(self.latest))
        elif self.clock() - self.printed >= PLAIN_EVERY:
            self.write(self.line())
            self.printed, self.unprinted = self.clock(), False
        else:
            self.unprinted = True

    def report(self, step: int, scalars: Mapping[str, Any]) -> None:
        """What was logged, for a machine; JSON has no word for numbers that are none."""
        if scalars:
            numbers = {name: float(value) for name, value in scalars.items()}
            finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
            self.write(json.dumps({"event": "progress", "step": step, **finite}))

    def line(self) -> str:
        """The whole state on one line, for logs and pipes."""
        position, rate = self.pace.describe()
        head = f"step {position} ({100 * self.pace.fraction:.0f} %)"
        return "   ".join(part for part in (head, describe(self.latest), rate) if part)

    def write(self, line: str) -> None:
        if self.error is not None:
            return
        try:
            print(line, file=self.stream, flush=True)
        except OSError as error:
            self.error = error
            self.unheard()

    def raise_if_unheard(self) -> None:
        """The error of the stream, if it had one."""
        if self.error is not None:
            raise self.error


class Bar:
    """The redrawn display: a bar with its numbers, and a line with the return and the losses under it."""

    def __init__(self, stream: Stream) -> None:
        from rich.console import Console, Group
        from rich.live import Live
        from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Columns
        from rich.text import Text

        position, rate = TextColumn("{task.description}"), TextColumn("{task.fields[rate]}")
        self.columns = Columns(SpinnerColumn(), position, BarColumn(), TaskProgressColumn(), rate)
        self.task = self.columns.add_task("", total=1.0, rate="compiling ...")
        self.text: Any = Text("", style="dim")
        console = Console(file=cast(Any, stream))
        self.live = Live(Group(self.columns, self.text), console=console, refresh_per_second=8)

    def update(self, pace: Pace, text: str) -> None:
        position, rate = pace.describe()
        self.columns.update(self.task, completed=pace.fraction, description=position, rate=rate)
        self.text.plain = "  " + text
