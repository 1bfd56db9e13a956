from typing import Any

import gymnasium
import numpy as np
import pytest
from envs.worlds import LENGTH, Counter

from reverie.envs.wrappers import Pixels, Repeat
from reverie.errors import UserError


class Painted(Counter):
    """A picture as bright as the clock."""

    render_mode = "rgb_array"

    def render(self) -> Any:
        return np.full((20, 30, 3), 10 * self.time, np.uint8)


def test_repeating_sums_rewards_and_stops_at_the_end() -> None:
    env = Repeat(Counter(), 3)
    env.reset(seed=0)
    observation, reward, terminated, *_ = env.step(1)
    assert (observation[1], reward, terminated) == (3, 1 + 2 + 3, False)
    observation, reward, terminated, *_ = env.step(1)
    assert (observation[1], reward, terminated) == (LENGTH, LENGTH, True)


def test_repeating_stops_where_the_clock_cuts() -> None:
    env = Repeat(gymnasium.wrappers.TimeLimit(Counter(), 2), 3)
    env.reset(seed=0)
    _, reward, terminated, truncated, _ = env.step(0)
    assert (reward, terminated, truncated) == (3, False, True)


@pytest.mark.parametrize(("side", "shape"), [(8, (8, 8, 3)), (0, (20, 30, 3))])
def test_pixels_show_the_picture_of_now(side: int, shape: tuple[int, ...]) -> None:
    env = Pixels(Painted(), side)
    assert env.observation_space["image"].shape == shape
    assert env.reset(seed=0)[0]["image"].tolist() == np.zeros(shape).tolist()
    assert env.step(0)[0]["image"].tolist() == np.full(shape, 10).tolist()


def test_pixels_need_a_picture() -> None:
    with pytest.raises(UserError, match=r"render\(\) gave NoneType"):
        Pixels(Counter(), 8)
