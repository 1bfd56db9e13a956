"""Ten skipped updates in a row: the run ends with what computes the failure again."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from reverie.errors import UserError
from reverie.run import failure
from reverie.run.experience import Stack
from reverie.run.run import Run
from reverie.types import Sequence

LEARNER = {"weight": jnp.arange(3.0), "name": "kept"}
FLAGS = np.zeros((4, 2, 3), bool)
ROWS = Sequence(
    {"a.b": FLAGS + 0.5, "c": FLAGS + np.uint8(7)}, FLAGS * 1, np.full((4, 2, 3), np.nan, np.float32), *[FLAGS] * 3
)
STACK = Stack(ROWS, {"deter": np.arange(32, dtype=np.float32).reshape(4, 2, 4)})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    about = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
    run = Run.create(tmp_path / "run", about)
    run.finished(120)
    return run


def test_nine_are_tolerated(run: Run) -> None:
    failure.stop_if_hopeless(run, np.array([8, 9, 0, 1]), LEARNER, STACK)
    assert not (run.directory / "failures").exists()


def test_ten_end_the_run_and_leave_what_failed(run: Run) -> None:
    for _ in range(2):  # the same run, resumed, fails there again
        with pytest.raises(
            UserError, match=r"10 updates in a row .*`reverie runs replay .*failures/000000000120"
        ) as caught:
            failure.stop_if_hopeless(run, np.array([9, 10, 11, 12]), LEARNER, STACK)
        assert caught.value.code == 70
    learner, stack = failure.read(run.directory / "failures" / "000000000120", LEARNER)
    np.testing.assert_array_equal(learner["weight"], LEARNER["weight"])
    assert learner["name"] == "kept"
    assert set(stack.sequence.observation) == {"a.b", "c"}
    for name, array in ROWS.observation.items():
        np.testing.assert_array_equal(stack.sequence.observation[name], array[:2])
    for name in Sequence._fields[1:]:
        np.testing.assert_array_equal(getattr(stack.sequence, name), getattr(ROWS, name)[:2])
    np.testing.assert_array_equal(stack.context["deter"], STACK.context["deter"][:2])


def test_no_failure_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no failure of a run"):
        failure.read(tmp_path, LEARNER)
