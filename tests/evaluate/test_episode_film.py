"""A stored episode as a film: every picture that was seen, and all of a long one."""

import numpy as np
import pytest

from reverie.evaluate import episode_film
from reverie.evaluate.episode_film import pictures
from reverie.types import Sequence


def episode(rows: int, **seen: tuple[int, ...]) -> Sequence:
    flags = np.zeros(rows, bool)
    observation = {name: np.zeros((rows, *shape), np.uint8) for name, shape in seen.items()}
    observation["speed"] = np.zeros((rows, 2), np.float32)
    return Sequence(observation, np.zeros((rows, 1), np.int32), np.ones(rows, np.float32), flags, flags, flags)


def test_a_frame_for_each_row_and_a_panel_for_each_picture() -> None:
    sequence = episode(7, screen=(8, 8, 3), depth=(8, 8, 1))
    assert pictures(sequence) == ["screen", "depth"]
    frames, fps = episode_film.episode_film(sequence, 15.0, caption="episode 3")
    assert (len(frames), fps) == (7, 15.0)
    alone, _ = episode_film.episode_film(episode(7, screen=(8, 8, 3)), 15.0, caption="episode 3")
    assert frames.shape[2] > alone.shape[2] > episode_film.WIDTH
    assert not np.array_equal(frames[0], frames[1]), "the return so far is shown"


def test_a_long_one_is_thinned_and_lasts_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episode_film, "MOST", 10)
    frames, fps = episode_film.episode_film(episode(25, screen=(8, 8, 3)), 15.0, caption="")
    assert (len(frames), fps) == (9, 5.0)


def test_numbers_are_no_pictures() -> None:
    assert pictures(episode(3)) == []
    assert pictures(episode(3, nothing=(0, 0, 3))) == []
