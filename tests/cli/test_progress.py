"""The live display, on a clock of our own."""

import io
import json
import math

import pytest

from reverie.cli.progress import Pace, Progress, describe, duration
from reverie.run.budget import Budget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


SCALARS = {"episode/return": 187.25, "loss/reward": 0.2134, "loss/value": 12.0, "updates": 5.0}


def nothing() -> float:
    return 0.0


def test_speed_forgets_what_is_older_than_its_window() -> None:
    clock = Clock()
    pace = Pace(Budget(steps=10_000), nothing, clock)
    pace.update(0)
    assert pace.rate is None
    assert pace.remaining is None
    for clock.now, step in [(100.0, 100), (110.0, 1100), (130.0, 3100), (135.0, 5100)]:  # compiled for 100 s
        pace.update(step)
    assert pace.rate == 160
    assert pace.remaining == 4900 / 160
    assert pace.fraction == 0.51
    assert pace.describe() == ("5,100 of 10,000", "160 steps/s   0:31 left")


def test_a_budget_of_time_ends_by_the_clock_of_the_run() -> None:
    clock = Clock()
    pace = Pace(Budget(seconds=300.0), lambda: 75.0, clock)
    pace.update(50)
    assert pace.fraction == 0.25
    assert pace.remaining == 225
    assert pace.describe() == ("50 of 5:00", "compiling ...   3:45 left")


def test_standing_still_is_no_speed() -> None:
    clock = Clock()
    pace = Pace(Budget(steps=100), nothing, clock)
    pace.update(50)
    clock.now = 1.0
    pace.update(50)
    assert pace.rate is None


def test_durations() -> None:
    assert [duration(value) for value in (None, 5.0, 283.4, 3723.0, math.inf)] == ["?", "0:05", "4:43", "1:02:03", "?"]


def test_the_return_and_the_losses_are_shown() -> None:
    assert describe(SCALARS) == "return 187.2   loss: reward 0.213  value 12"
    assert describe({"updates": 3.0}) == ""


def test_the_stage_is_shown_and_forgets_the_one_before() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress(Budget(steps=100), lambda: clock.now, stream, clock=clock) as progress:
        progress(5, {"done/vision": 0.5, "loss/reconstruction": 12.0})
        clock.now += 11
        progress(5, {"done/memory": 0.25, "loss/latent": 1.5})
    first, second = stream.getvalue().splitlines()
    assert "vision 50 %   loss: reconstruction 12" in first
    assert "memory 25 %   loss: latent 1.5" in second
    assert "vision" not in second
    assert "reconstruction" not in second


def test_a_stage_that_makes_no_steps_says_how_long_it_still_takes() -> None:
    clock = Clock()
    pace = Pace(Budget(steps=100), nothing, clock)
    for clock.now, share in [(0.0, 0.9), (5.0, 1.0), (100.0, 0.01), (110.0, 0.06), (120.0, 0.11), (145.0, 0.21)]:
        pace.update(100, share)
        waiting = pace.left_of_stage is None
        assert waiting == (clock.now in (0.0, 100.0))  # another stage forgets the one before
    assert pace.left_of_stage == pytest.approx((1 - 0.21) / (0.21 - 0.11) * 25)
    assert pace.describe() == ("100 of 100", "3:18 left of this stage")


def test_a_plain_line_every_ten_seconds_and_the_last_one() -> None:
    clock, stream = Clock(), io.StringIO()
    with Progress(Budget(steps=1000), nothing, stream, clock=clock) as progress:
        for clock.now, step in [(0.0, 0), (5.0, 100), (10.0, 200), (12.0, 240)]:
            progress(step, SCALARS)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("step 0 of 1,000 (0 %)")
    assert "compiling" in lines[0]
    assert "20 steps/s" in lines[1]
    assert "0:40 left" in lines[1]
    assert "return 187.2" in lines[1]
    assert lines[2].startswith("step 240 of 1,000 (24 %)")


def test_a_line_already_printed_is_not_repeated_at_the_end() -> None:
    stream = io.StringIO()
    with Progress(Budget(steps=10), nothing, stream, clock=Clock()) as progress:
        progress(10, {})
    assert len(stream.getvalue().splitlines()) == 1


def test_one_object_per_report_for_machines() -> None:
    stream = io.StringIO()
    with Progress(Budget(steps=1000), nothing, stream, machine=True, clock=Clock()) as progress:
        progress(10, {"loss/value": math.nan})
        progress(15, {})
        progress(20, {"episode/return": 3.0})
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "progress", "step": 10, "loss/value": None},
        {"event": "progress", "step": 20, "episode/return": 3.0},
    ]


def test_a_terminal_gets_a_bar_with_the_same_numbers() -> None:
    clock, stream = Clock(), Terminal()
    with Progress(Budget(steps=1000), nothing, stream, clock=clock) as progress:
        for clock.now, step in [(0.0, 0), (5.0, 500)]:
            progress(step, SCALARS)
    shown = stream.getvalue()
    assert "500 of 1,000" in shown
    assert "100 steps/s" in shown
    assert "return 187.2" in shown
