"""Every row once, in order, with the action that led there; no lane takes a gap for a step."""

import jax.numpy as jnp
import numpy as np
import pytest
from data.numbered import EPISODE, SPACES, STREAMS, empty, fill

from reverie.run.encoded import first_rows, rows_in_lanes


def encode(observation):
    return jnp.stack([observation["state"][0], -observation["state"][1]])


def test_lanes_are_the_streams_end_to_end() -> None:
    rows = rows_in_lanes(encode, fill(empty(), range(60)), SPACES.action, 4)
    numbers = np.concatenate([np.arange(60) * STREAMS + stream for stream in range(STREAMS)]).reshape(4, 30)
    np.testing.assert_array_equal(rows.encoded[..., 0], numbers)
    np.testing.assert_array_equal(rows.encoded[..., 1], -numbers)
    assert rows.encoded.dtype == np.float16
    first = numbers // STREAMS % EPISODE == 0
    first[:, 0] = True
    np.testing.assert_array_equal(rows.is_first, first)
    np.testing.assert_array_equal(rows.previous.sum(axis=-1), ~first)
    led = (numbers - STREAMS) % 5  # the action of the row before
    np.testing.assert_array_equal(rows.previous.argmax(axis=-1)[~first], led[~first])
    np.testing.assert_array_equal(rows.terminated, numbers // STREAMS % EPISODE == EPISODE - 1)


def test_what_follows_a_gap_begins_anew() -> None:
    replay = fill(empty(), range(10))
    fill(replay, range(10, 13), present=np.array([False, True]))
    rows = rows_in_lanes(encode, fill(replay, range(13, 23)), SPACES.action, 1)
    numbers = rows.encoded[0, :, 0]
    assert numbers[:20].tolist() == [2 * time for time in (*range(10), *range(13, 23))]
    assert rows.is_first[0, 10]
    assert not rows.previous[0, 10].any()
    assert len(numbers) == 20 + 23


def test_windows_begin_again_after_the_last() -> None:
    rows = rows_in_lanes(encode, fill(empty(), range(60)), SPACES.action, 4)
    third, fourth = rows.window(2, 9), rows.window(3, 9)
    np.testing.assert_array_equal(third.encoded, rows.encoded[:, 18:27])
    assert third.encoded.dtype == np.float32
    np.testing.assert_array_equal(fourth.is_first, rows.is_first[:, :9])


def test_too_few_rows_for_the_lanes() -> None:
    with pytest.raises(ValueError, match="16 rows are too few for 17 lanes"):
        rows_in_lanes(encode, fill(empty(), range(8)), SPACES.action, 17)


def test_first_rows_are_those_that_begin_episodes() -> None:
    replay = fill(empty(), range(30))
    firsts = [time * STREAMS + stream for time in range(0, 30, EPISODE) for stream in range(STREAMS)]
    assert first_rows(encode, replay)[:, 0].tolist() == firsts
    assert first_rows(encode, replay, 3)[:, 0].tolist() == firsts[:3]
