"""Ahead of time, the same batches."""

import time

import numpy as np
import pytest
from data.numbered import empty, fill, same

from reverie.data.prefetch import Prefetch


def test_batches_are_those_of_direct_draws_however_far_ahead() -> None:
    direct = fill(empty(), range(30))
    expected = [direct.draw(n, 4, 60) for n in range(6)]
    for ahead in (1, 3):
        with Prefetch(fill(empty(), range(30)), 4) as prefetch:
            for _ in range(ahead):
                prefetch.ask(60)
            for n in range(6):
                prefetch.ask(60)
                assert same(prefetch.take(), expected[n])
            assert prefetch.pending == [60] * ahead


def test_only_taken_batches_are_part_of_the_state() -> None:
    replay = fill(empty(), range(30))
    with Prefetch(replay, 4) as prefetch:
        for _ in range(3):
            prefetch.ask(60)
        while len(replay._taken) < 4:
            time.sleep(0.01)
        prefetch.take()
        assert replay.state()["counters"][1] == 1


def test_it_starts_where_it_is_told() -> None:
    replay = fill(empty(online=False), range(30))
    expected = [replay.draw(n, 4, 60) for n in range(3)]
    with Prefetch(replay, 4, start=2) as prefetch:
        prefetch.ask(60)
        np.testing.assert_array_equal(prefetch.take().ids, expected[2].ids)


def test_an_error_reaches_the_trainer() -> None:
    with Prefetch(empty(), 4) as prefetch:
        prefetch.ask(0)
        with pytest.raises(ValueError, match="no window"):
            prefetch.take()
        with pytest.raises(ValueError, match="call `ask` first"):
            prefetch.take()
