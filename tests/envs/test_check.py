import numpy as np
import pytest
from envs.worlds import LENGTH, Counter, NotANumber, Truncating, Unseeded

from reverie.envs.check import check, random_action
from reverie.errors import UserError
from reverie.types import ArraySpec


def test_a_good_world() -> None:
    report = check(Counter)
    assert report["observation"] == {"observation": "vector 3"}
    assert report["action"] == "discrete 1 of 3"
    assert report["reward"] == {"lowest": 1, "mean": (LENGTH + 1) / 2, "highest": LENGTH}
    assert report["episodes"] == {"finished": 20, "shortest": LENGTH, "mean": LENGTH, "longest": LENGTH}
    assert report["ends"]["world ended (terminated)"] == 20
    assert (report["same seed, same episode"], report["other seed, other episode"]) == (True, True)
    assert report["steps per second"] > 0


def test_clocks_are_told_from_ends() -> None:
    assert check(Truncating)["ends"] == {
        "world ended (terminated)": 0,
        "cut by the clock (truncated)": 20,
        "both at once": 0,
        "still running": 0,
    }
    assert check("CartPole-v1")["with a clock of 5 steps"] == "cut after 5 (truncated)"
    assert check(Counter)["with a clock of 5 steps"] == f"the world ended after {LENGTH} (terminated)"


def test_a_world_that_forgets_its_seed_is_found_out() -> None:
    assert check(Unseeded)["same seed, same episode"] is False


def test_a_broken_promise_is_not_reported_but_raised() -> None:
    with pytest.raises(UserError, match="not finite"):
        check(NotANumber)


def test_what_is_dropped_is_listed() -> None:
    assert check("MiniGrid-Empty-5x5-v0")["dropped"] == ["mission (text)"]


@pytest.mark.parametrize(
    "spec", [ArraySpec("discrete", (3,), (2, 3, 4)), ArraySpec("continuous", (2,))], ids=lambda spec: spec.kind
)
def test_random_actions_are_possible_and_reach_everywhere(spec: ArraySpec) -> None:
    rng = np.random.default_rng(0)
    actions = np.stack([random_action(spec, rng) for _ in range(300)])
    assert (actions.shape[1:], str(actions.dtype)) == (spec.shape, spec.dtype)
    if spec.kind == "discrete":
        assert (actions.min(axis=0).tolist(), (actions.max(axis=0) + 1).tolist()) == ([0, 0, 0], [2, 3, 4])
    else:
        assert (actions.min() < -0.9, actions.max() > 0.9, np.abs(actions).max() <= 1) == (True, True, True)
