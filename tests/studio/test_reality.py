"""A world is brought back to where it was, or says that it cannot be."""

import numpy as np
import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.studio.reality import Real, Reality

ACTIONS = [np.array([place % 2], np.int32) for place in range(8)]


def test_it_comes_back_to_any_moment() -> None:
    world = Reality("CartPole-v1", EnvironmentConfig())
    first = world.reset(3)
    seen = [first] + [world.step(action) for action in ACTIONS]
    world.bring(3, ACTIONS[:4], seen[4])
    again = world.step(ACTIONS[4])
    assert np.array_equal(again.observation["observation"], seen[5].observation["observation"])
    world.bring(3, ACTIONS[:6], seen[6])  # onwards, without a reset
    assert np.array_equal(world.step(ACTIONS[6]).observation["observation"], seen[7].observation["observation"])
    world.close()


def test_one_that_does_not_repeat_itself_is_found_out() -> None:
    world = Reality("CartPole-v1", EnvironmentConfig())
    first = world.reset(3)
    other = Real({"observation": first.observation["observation"] + 1}, 0.0, False)
    with pytest.raises(UserError, match="does not repeat itself"):
        world.bring(3, ACTIONS[:2], other)
    world.close()


def test_pictures_of_numbers_are_drawn_by_the_world() -> None:
    world = Reality("CartPole-v1", EnvironmentConfig())
    picture = world.picture(world.reset(0), is_here=False)
    assert picture is not None
    assert picture.shape == (400, 600, 3)
    world.close()


def test_a_world_without_pictures_has_none() -> None:
    world = Reality("reverie/Delay-v0", EnvironmentConfig())
    assert world.picture(world.reset(0), is_here=True) is None
    world.close()


def test_a_world_that_is_not_here_says_what_to_install() -> None:
    with pytest.raises(UserError):
        Reality("NoSuchWorld-v0", EnvironmentConfig())
