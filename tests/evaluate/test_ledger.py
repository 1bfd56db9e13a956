"""The ledger reads back what it wrote, and judges a claim by its own numbers."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.evaluate import ledger
from reverie.evaluate.ledger import Claim, Goal, Seed


def seed(number: int, mean: float, low: float | None = None) -> Seed:
    low = mean - 5 if low is None else low
    return Seed(number, 60.0, mean, 1.0, (low, mean + 5), (mean - 1, mean + 1), ((100, 20.0), (200, mean)))


def claim(*means: int) -> Claim:
    return Claim(
        "cartpole", "dreamer3", "CartPole-v1", "nano", 30_000, 1, Goal(475.0, 2),
        config={"train_ratio": 32.0}, seeds=tuple(seed(number, float(mean)) for number, mean in enumerate(means)),
    )  # fmt: skip


def test_a_goal_counts_the_seeds_that_reach_it() -> None:
    assert claim(480, 475, 100).met
    assert not claim(480, 474.9, 100).met
    low = Goal(475.0, 1, "low")
    assert not low.met([seed(0, 478.0)])
    assert low.met([seed(0, 500.0, low=476.0)])


def test_a_gap_is_between_dreams_and_the_world(tmp_path: Path) -> None:
    gap = Goal(100.0, 1, "gap")
    awake = seed(0, 200.0)
    assert not gap.met([awake]), "it never dreamt"
    assert not gap.met([dataclasses.replace(awake, dreamed=(250.0, 348.0))])
    dreamer = dataclasses.replace(awake, dreamed=(250.0, 350.0))
    assert gap.met([dreamer])
    row = dataclasses.replace(claim(200), goal=gap, seeds=(dreamer,))
    ledger.write(row, tmp_path / "row.json")
    assert ledger.read(tmp_path / "row.json")[1] == row


@pytest.mark.parametrize(("seeds", "needed"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (10, 8)])
def test_fewer_seeds_must_reach_the_same_share(seeds: int, needed: int) -> None:
    assert Goal(475.0, 4).scaled(seeds, 5).needed == needed


@pytest.mark.parametrize(("arguments", "message"), [((1.0, 0), "at least one seed"), ((1.0, 1, "best"), "mean, low")])
def test_an_impossible_goal_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Goal(*arguments)


def test_a_row_reads_back_and_says_whether_it_is_met(tmp_path: Path) -> None:
    path = tmp_path / "results" / "cartpole.json"
    row = dataclasses.replace(claim(480, 490), **ledger.provenance(["cpu"]))
    ledger.write(row, path)
    assert ledger.read("cartpole", path.parent) == (path, row)
    assert ledger.read(path) == (path, row)
    stored = json.loads(path.read_text())
    assert stored["met"] is True
    assert stored["hardware"]["cores"] >= 1
    assert stored["versions"]["jax"]
    assert max(map(len, path.read_text().splitlines())) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no row of the ledger"),
        ("[]", "no row of the ledger"),
        ('{"met": true, "seeds": []}', "no row of the ledger"),
        (claim(480).to_json().replace('"met": false', '"met": true'), "states met = True"),
        (claim(480).to_json().replace('"size"', '"scale"'), "no row of the ledger"),
    ],
)
def test_what_is_no_row_is_said(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        Claim.from_json(text)
    assert raised.value.code == 65


def test_a_row_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no rows"):
        ledger.read("pendulum", tmp_path)
    ledger.write(claim(), tmp_path / "cartpole.json")
    with pytest.raises(UserError, match="are cartpole"):
        ledger.read("pendulum", tmp_path)


def test_numbers_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dataclasses.replace(claim(), seeds=(seed(0, math.nan),)).to_json()


def test_a_curve_is_thinned_to_means_of_neighbours() -> None:
    curve = [(step, float(step % 2)) for step in range(1, 9)]
    assert ledger.thinned(curve, 4) == ((2, 0.5), (4, 0.5), (6, 0.5), (8, 0.5))
    assert ledger.thinned(curve, 100) == tuple(curve)
    assert ledger.thinned([]) == ()
