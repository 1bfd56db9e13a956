"""Durations as people write them, and how much of a budget is used up."""

import pytest

from reverie.errors import UserError
from reverie.run.budget import Budget, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1.5m", 90), ("45", 45), ("1d", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10x", "m", "10 parsecs", "-5m", "1e3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UserError, match="like 90s, 10m, 2h"):
        parse_duration(text)


def test_fractions() -> None:
    assert Budget(steps=200).fraction(50, 1e9) == 0.25
    assert Budget(seconds=100.0).fraction(10**9, 150.0) == 1.5
    assert Budget(steps=200, seconds=100.0).fraction(200, 0.0) == 1, "steps count"


def test_impossible_budgets() -> None:
    with pytest.raises(UserError, match="--steps N or --budget"):
        Budget()
    with pytest.raises(UserError, match=r"steps 1|90s"):
        Budget(steps=0)
    with pytest.raises(UserError, match=r"steps 1|90s"):
        Budget(seconds=-1.0)
