"""Windows against a brute-force list of all that are allowed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reverie.data.windows import Windows

STREAMS, LENGTH = 3, 4


def allowed(lost: set[tuple[int, int]], oldest: int, end: int) -> set[int]:
    """First rows of all windows without a lost row."""
    return {
        time * STREAMS + stream
        for stream in range(STREAMS)
        for time in range(oldest, end - LENGTH + 1)
        if not any((stream, row) in lost for row in range(time, time + LENGTH))
    }


losses = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from([None, 0, 1, 2])), max_size=4)


@given(losses, st.integers(0, 20), st.integers(0, 30))
def test_counts_and_draws_are_what_brute_force_allows(
    gaps: list[tuple[int, int, int | None]], oldest: int, rows: int
) -> None:
    windows, lost = Windows(STREAMS, LENGTH), set()
    for first, length, stream in gaps:
        windows.lose(first, first + length, stream)
        owners = range(STREAMS) if stream is None else [stream]
        lost |= {(owner, row) for owner in owners for row in range(first, first + length)}
    expected = allowed(lost, oldest, oldest + rows)
    assert windows.count(oldest, oldest + rows) == len(expected)
    if expected:
        drawn = windows.uniform(np.random.default_rng(0), 40 * len(expected), oldest, oldest + rows)
        assert set(drawn.tolist()) <= expected
        assert len(set(drawn.tolist())) > 0.9 * len(expected)


@given(losses, st.integers(0, 20), st.integers(0, 30))
def test_what_is_lost_is_what_was_lost(gaps: list[tuple[int, int, int | None]], oldest: int, rows: int) -> None:
    windows, again = Windows(STREAMS, LENGTH), Windows(STREAMS, LENGTH)
    for first, length, stream in gaps:
        windows.lose(first, first + length, stream)
    for first, end, stream in windows.lost(oldest, oldest + rows).tolist():
        assert oldest <= first < end <= oldest + rows
        again.lose(first, end, stream)
    for stream in range(STREAMS):
        seen = [one.times(stream, oldest, oldest + rows).tolist() for one in (windows, again)]
        assert seen[0] == seen[1]
        assert again.times(stream, oldest + rows, 100).tolist() == [
            time * STREAMS + stream for time in range(oldest + rows, 100)
        ]


def test_every_window_is_equally_likely() -> None:
    windows = Windows(2, 3)
    windows.lose(5, 7)
    windows.lose(0, 2, stream=1)
    drawn = windows.uniform(np.random.default_rng(0), 20_000, 0, 12)
    counts = np.unique_counts(drawn).counts
    assert len(counts) == windows.count(0, 12) == (3 + 3) + (1 + 3)
    assert abs(counts / 2000 - 1).max() < 0.1


def test_the_queue_gives_every_window_once_oldest_first() -> None:
    windows = Windows(2, 3)
    assert len(windows.online(0, 8, 0, 2)[0]) == 0
    first, taken = windows.online(0, 3, 0, 7)
    second, taken = windows.online(taken, 3, 0, 7)
    third, taken = windows.online(taken, 3, 0, 10)
    assert [first.tolist(), second.tolist(), third.tolist()] == [[0, 1, 6], [7], [12, 13]]
    assert taken == 6


def test_the_queue_skips_what_is_gone() -> None:
    windows = Windows(2, 3)
    windows.lose(7, 8, stream=0)
    starts, taken = windows.online(0, 10, 4, 13)
    # times 0 and 3 are evicted, stream 0 has lost row 7 of the window at 6
    assert starts.tolist() == [6 * 2 + 1, 9 * 2, 9 * 2 + 1]
    assert taken == 8
