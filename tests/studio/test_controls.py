"""Controls: the keys that people expect, two that are held together, and doing nothing."""

import numpy as np
import pytest

from reverie.studio.controls import Controls
from reverie.types import ArraySpec

CARTPOLE = ArraySpec("discrete", (1,), (2,), ("left", "right"))
ATARI = ArraySpec("discrete", (1,), (6,), ("noop", "fire", "up", "right", "upright", "rightfire"))
GRID = ArraySpec("discrete", (1,), (7,), ("left", "right", "forward", "pick up", "drop", "toggle", "nothing"))


def keys(controls: Controls) -> dict[str, tuple[str, ...]]:
    return {control.name: control.keys for control in controls.all}


def test_names_have_the_keys_that_people_expect() -> None:
    assert keys(Controls(CARTPOLE)) == {"left": ("ArrowLeft", "KeyA"), "right": ("ArrowRight", "KeyD")}
    found = keys(Controls(GRID))
    assert found["pick up"] == ("KeyZ",)
    assert found["toggle"] == ("Space",)
    assert found["nothing"] == ()
    unnamed = keys(Controls(ArraySpec("discrete", (1,), (3,))))
    assert list(unnamed.values()) == [("Digit1",), ("Digit2",), ("Digit3",)]


@pytest.mark.parametrize(
    "spec", [CARTPOLE, ATARI, GRID, ArraySpec("discrete", (2,), (3, 3)), ArraySpec("continuous", (4,))]
)
def test_no_key_means_two_things(spec: ArraySpec) -> None:
    given = [key for control in Controls(spec).all for key in control.keys]
    assert len(given) == len(set(given))


def test_what_is_held_is_done_the_latest_last() -> None:
    controls = Controls(ATARI)
    assert controls.action(["0.2"]) == [2]
    assert controls.action(["0.2", "0.3"]) == [4]  # up and right: upright
    assert controls.action(["0.3", "0.1"]) == [5]
    assert controls.action(["0.1", "0.2"]) == [2]  # there is no upfire
    assert controls.action(["nobody's"]) == [0]


def test_where_nothing_cannot_be_done_the_world_waits() -> None:
    assert Controls(CARTPOLE).action([]) is None
    assert Controls(CARTPOLE).to_json()["waits"]
    assert Controls(GRID).action([]) == [6]
    assert not Controls(GRID).to_json()["waits"]


def test_numbers_go_both_ways() -> None:
    controls = Controls(ArraySpec("continuous", (2,)), np.array([0.0, -1.0], np.float32))
    assert controls.action([]) == pytest.approx([0, -1])
    assert controls.action(["0-", "1+"]) == pytest.approx([-1, 1])
    assert controls.action([]) == pytest.approx([0, -1])


def test_several_choices_at_once() -> None:
    controls = Controls(ArraySpec("discrete", (2,), (2, 3)))
    assert controls.action(["0.1", "1.2"]).tolist() == [1, 2]
