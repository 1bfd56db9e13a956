"""Where dreams may begin: what the replay on the disk has of first rows."""

from pathlib import Path

import numpy as np
import pytest
from data.numbered import EPISODE, STREAMS, empty, fill

from reverie.errors import UserError
from reverie.run.firsts import first_observations


def test_the_rows_that_began_episodes_the_oldest_first(tmp_path: Path) -> None:
    replay = empty()
    for begin in range(0, 60, 20):
        fill(replay, range(begin, begin + 20)).seal(tmp_path / "replay")
    expected = [time * STREAMS + stream for time in range(0, 60, EPISODE) for stream in range(STREAMS)]
    found = first_observations(tmp_path, 1000)
    assert found["state"][:, 0].tolist() == expected
    assert found["pixels"].shape == (len(expected), 2, 2, 1)
    assert first_observations(tmp_path, 5)["state"][:, 0].tolist() == expected[:5]


def test_a_piece_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    replay = empty()
    for begin in range(0, 60, 20):
        fill(replay, range(begin, begin + 20)).seal(tmp_path / "replay")
    (tmp_path / "replay" / f"{20 * STREAMS:014d}.safetensors").write_bytes(b"nothing")
    times = first_observations(tmp_path, 1000)["state"][:, 0] // STREAMS
    np.testing.assert_array_equal(np.unique(times), [0, 7, 14, 42, 49, 56])


def test_a_run_without_experience(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="keeps no experience"):
        first_observations(tmp_path, 10)
