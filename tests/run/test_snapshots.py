"""Weights as they were at steps that runs have in common."""

from pathlib import Path

import numpy as np
import pytest

from reverie.errors import UserError
from reverie.run import checkpoints, snapshots
from reverie.run.run import Run

ABOUT = {"method": "m", "environment": "e", "seed": 4, "steps": 10**6}


def weights(value: float) -> dict[str, np.ndarray]:
    return {"w": np.full(3, value, np.float32), "count": np.arange(2)}


def test_steps_become_rarer() -> None:
    reached = [1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]
    for number, step in enumerate(reached):
        assert snapshots.passed(step - 1, 1000) == number
        assert snapshots.passed(step, 1000) == number + 1
    assert snapshots.passed(10**9, 1000) == 19
    assert snapshots.passed(0, 0.5) == 0


def test_a_run_takes_one_at_the_first_turn_from_such_a_step_on(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", ABOUT) as run:
        due = [step for step in range(0, 12_000, 16) if run.due("snapshot", step)]
        assert due == [1008, 2000, 5008, 10_000]
    with Run.create(tmp_path / "none", ABOUT | {"every": {"snapshot": 0}}) as run:
        assert not run.due("snapshot", 10**9)


def test_the_nearest_is_given_in_half_precision(tmp_path: Path) -> None:
    with Run.create(tmp_path, ABOUT) as run:
        for step, value in ((1008, 1 / 3), (2000, 1e6)):
            run.snapshot(step, weights(value))
    assert snapshots.steps(tmp_path) == [1008, 2000]
    run = Run.open(tmp_path)
    run.at = 1300
    found = run.weights(weights(0))
    assert run.step == 1008
    np.testing.assert_array_equal(found["w"], np.float32(np.float16(1 / 3)))
    np.testing.assert_array_equal(found["count"], [0, 1])
    assert found["w"].dtype == np.float32
    assert snapshots.read(tmp_path, 10**9, weights(0))[0]["w"][0] == 1e6, "what half precision cannot hold stays whole"


def test_one_that_is_there_is_not_touched(tmp_path: Path) -> None:
    """A run that was killed comes to the same step again, with the same weights."""
    snapshots.write(tmp_path, 1000, weights(1))
    snapshots.write(tmp_path, 1000, weights(2))
    assert [path.name for path in (tmp_path / "snapshots").iterdir()] == ["000000001000"]
    assert snapshots.read(tmp_path, 0, weights(0))[0]["w"][0] == 1


def test_a_run_that_begins_again_forgets_those_of_an_earlier_life(tmp_path: Path) -> None:
    """Killed before its first checkpoint, it may be begun with other settings."""
    with Run.create(tmp_path, ABOUT) as run:
        run.snapshot(1000, weights(1))
    with Run.create(tmp_path, ABOUT | {"seed": 5}) as run:
        assert run.restore(weights(0)) is None
        run.snapshot(1000, weights(2))
    assert snapshots.read(tmp_path, 1000, weights(0))[0]["w"][0] == 2


def test_nothing_is_written_by_who_does_not_hold_the_run(tmp_path: Path) -> None:
    Run.create(tmp_path, ABOUT)
    with pytest.raises(ValueError, match="only the one who holds the run"):
        Run.open(tmp_path).snapshot(1000, weights(1))


def test_none_and_damaged_ones_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="keeps no snapshots"):
        snapshots.read(tmp_path, 1000, weights(0))
    snapshots.write(tmp_path, 1000, weights(1))
    file = tmp_path / checkpoints.SNAPSHOTS / "000000001000" / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"damaged: state\.safetensors does not match its checksum"):
        snapshots.read(tmp_path, 1000, weights(0))
