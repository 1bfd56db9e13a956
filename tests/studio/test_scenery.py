"""What a run brings along for its plays, and what is said of what it lacks."""

from pathlib import Path

import numpy as np
import pytest

from reverie.errors import UserError
from reverie.studio.scenery import Scenery, as_pixels


def test_a_world_of_numbers_is_drawn_by_its_own_renderer(cartpole: Scenery) -> None:
    about = cartpole.to_json()
    assert about["world"] == "CartPole-v1"
    assert about["reality"]
    assert about["agent"]
    assert about["planner"]
    assert about["temperature"] == 1.0
    assert about["lacks"] == {}
    assert about["actions"]["waits"]
    picture = cartpole.picture({"observation": np.zeros(4, np.float32)})
    assert picture is not None
    assert picture.shape == (400, 600, 3)


def test_weights_dream_without_their_world_and_say_so(doom: Scenery) -> None:
    about = doom.to_json()
    assert about["image"]
    assert about["beginnings"] == 48
    assert about["lacks"].keys() == {"value", "entropy", "uncertainty"}
    assert about["temperature"] == pytest.approx(1.15, abs=0.01)
    assert not about["episodes"]
    with pytest.raises(UserError, match="weights"):
        doom.episode(0)
    assert about["reality"] == (not about["noReality"])


def test_first_observations_are_counted_round(cartpole: Scenery) -> None:
    count = len(cartpole.firsts["observation"])
    first, again, other = (cartpole.first(number)["observation"] for number in (0, count, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_remembered_episodes_are_read(cartpole: Scenery) -> None:
    rows = cartpole.episode(0)
    assert rows.is_first[0]
    with pytest.raises(UserError, match="no episode"):
        cartpole.episode(10_000)


def test_pixels_between_whole_numbers_are_rounded() -> None:
    assert as_pixels(np.array([-3.0, 1.6, 300.0])).tolist() == [0, 2, 255]
    assert as_pixels(np.array([7], np.uint8)).dtype == np.uint8


def test_no_run_no_scenery(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No run"):
        Scenery(str(tmp_path / "nothing"))
