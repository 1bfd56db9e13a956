"""Where dreams may begin: what the replay on the disk has of first rows."""

from pathlib import Path

import numpy as np
import pytest
from run.kept import EPISODE, STREAMS, chunk, described, fill, kept, replay, saved

from reverie.errors import UserError
from reverie.run.firsts import first_observations


def test_the_rows_that_began_episodes_the_oldest_first(tmp_path: Path) -> None:
    expected = [time * STREAMS + stream for time in range(0, 30, EPISODE) for stream in range(STREAMS)]
    found = first_observations(kept(tmp_path), 1000)
    assert found["state"][:, 0].tolist() == expected
    assert found["pixels"].shape == (len(expected), 4, 4, 3)
    assert first_observations(tmp_path, 5)["state"][:, 0].tolist() == expected[:5]


def test_a_piece_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    chunk(kept(tmp_path), 20).write_bytes(b"nothing")
    times = first_observations(tmp_path, 1000)["state"][:, 0] // STREAMS
    np.testing.assert_array_equal(np.unique(times), [0, 5, 20, 25])


def test_a_row_that_stands_for_none_begins_no_dream(tmp_path: Path) -> None:
    """Such rows say `is_first`."""
    stored = fill(replay(), range(5))
    fill(stored, [5], present=np.array([True, False]))
    assert first_observations(saved(described(tmp_path), stored), 10)["state"][:, 0].tolist() == [0, 1, 10]


def test_a_run_without_experience(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="keeps no experience"):
        first_observations(described(tmp_path), 10)
    with pytest.raises(UserError, match="no row of it begins an episode"):
        first_observations(saved(tmp_path, fill(replay(), range(1, 4))), 10)
