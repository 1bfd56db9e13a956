"""What a run begins with is what was kept, episode by episode, and nothing that its world does not know."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from run.kept import EPISODE, NUMBERS, SPACES, chunk, described, fill, flip, kept, replay, saved

from reverie.data.replay import Replay
from reverie.errors import UserError
from reverie.run.given import take_in
from reverie.types import ArraySpec, Spaces


def empty(streams: int = 5, spaces: Spaces = SPACES, capacity: int = 1000) -> Replay:
    return Replay(spaces, {"mark": ((2,), "float32")}, streams=streams, length=3, capacity=capacity, seed=0)


def episodes(taken: Replay) -> list[list[float]]:
    """What every stream shows, cut where an episode begins."""
    found = []
    for stream in range(taken.streams):
        ids = taken.times(stream)
        rows = taken.rows(ids)
        shown = [float(number) for number in rows.observation["state"][:, 0]]
        places = [*np.flatnonzero(rows.is_first).tolist(), len(ids)]
        assert len(ids) == 0 or places[0] == 0
        found += [shown[begin:end] for begin, end in pairwise(places)]
    return found


@pytest.mark.parametrize("streams", [1, 2, 5, 16])
def test_every_episode_comes_whole_in_whichever_stream_is_free(tmp_path: Path, streams: int) -> None:
    taken = empty(streams)
    said = take_in(kept(tmp_path), taken, SPACES)
    lived = [[float(10 * turn + stream + 2 * row) for row in range(EPISODE)] for turn in range(6) for stream in (0, 1)]
    assert sorted(episodes(taken)) == sorted(lived)
    assert taken.held == 60
    assert said.startswith("begins with 60 rows of 12 episodes of World-v0")


def test_rows_keep_what_was_done_and_what_it_brought(tmp_path: Path) -> None:
    taken = empty(1)
    take_in(kept(tmp_path), taken, SPACES)
    rows = taken.rows(taken.times(0)[:EPISODE])
    assert rows.action.tolist() == [[0], [2], [1], [0], [0]]
    assert rows.reward.tolist() == [0, 1, 1, 1, 1]
    assert rows.terminated.tolist() == [False, False, False, False, True]
    assert not rows.truncated.any()
    assert rows.observation["pixels"][3, 0, 0, 0] == 6
    assert not taken.latents(taken.times(0))["mark"].any()


def test_no_window_crosses_the_end_of_what_was_cut(tmp_path: Path) -> None:
    """The newest episodes still ran when they were kept, after two rows."""
    run = saved(described(tmp_path), fill(replay(), range(EPISODE + 2)))
    taken = empty(1)
    take_in(run, taken, SPACES)
    assert sorted(map(len, episodes(taken))) == [2, 2, 5, 5]
    rows = taken.rows(taken.times(0))
    ends = np.append(np.flatnonzero(rows.is_first)[1:], len(rows.reward)) - 1
    assert (rows.terminated | rows.truncated)[ends].all()


def test_where_the_beginning_is_lost_the_first_row_is_one(tmp_path: Path) -> None:
    run = saved(described(tmp_path), fill(replay(), range(2, EPISODE)))
    taken = empty(2)
    take_in(run, taken, SPACES)
    assert taken.rows(taken.times(0)).is_first.tolist() == [True, False, False]


def test_what_cannot_be_read_is_said_and_left_out(tmp_path: Path) -> None:
    flip(chunk(kept(tmp_path), 20))
    taken = empty(1)
    said = take_in(tmp_path, taken, SPACES)
    assert taken.held == 40
    assert "00000000000020" in said


def blind() -> Spaces:
    return Spaces({"state": SPACES.observation["state"]}, SPACES.action)


def wider() -> Spaces:
    return Spaces(SPACES.observation | {"state": ArraySpec("vector", (3,))}, SPACES.action)


@pytest.mark.parametrize(
    ("spaces", "said"),
    [
        (NUMBERS, "its action is int32 [1], this environment's is float32 [2]"),
        (wider(), "its observation.state is float32 [2], this environment's is float32 [3]"),
        (blind(), "pixels is uint8 [4, 4, 3], this environment's is nothing"),
    ],
)
def test_another_world_is_refused(tmp_path: Path, spaces: Spaces, said: str) -> None:
    with pytest.raises(UserError) as error:
        take_in(kept(tmp_path), empty(spaces=spaces), spaces)
    assert said in str(error.value)


def test_actions_that_there_are_none_of_are_refused(tmp_path: Path) -> None:
    fewer = Spaces(SPACES.observation, ArraySpec("discrete", (1,), (2,)))
    with pytest.raises(UserError, match="actions that this environment does not have"):
        take_in(kept(tmp_path), empty(spaces=fewer), fewer)


def test_what_is_not_finite_is_refused(tmp_path: Path) -> None:
    def change(time, step, action):
        step.reward[0] = np.nan if time == 7 else 0.0

    with pytest.raises(UserError, match=r"Episode 2 of .* not finite"):
        take_in(kept(tmp_path, change=change), empty(), SPACES)


def test_more_than_is_kept_is_refused(tmp_path: Path) -> None:
    run = kept(tmp_path)
    with pytest.raises(UserError, match=r"keeps 60 rows, too many for a replay of 55 in 5 streams.*Raise"):
        take_in(run, empty(capacity=55), SPACES)
    with pytest.raises(UserError, match="keeps no experience"):
        take_in(described(tmp_path / "new"), empty(), SPACES)


def test_an_episode_that_is_longer_than_a_stream_is_refused(tmp_path: Path) -> None:
    """Five rows, of which a stream of this replay would forget the first two while the other four are empty."""
    run = saved(described(tmp_path, 1), one_episode())
    with pytest.raises(UserError, match="in which an episode stays in one"):
        take_in(run, empty(streams=5, capacity=15), SPACES)


def one_episode() -> Replay:
    """Of the first of two streams; the second has nothing."""
    return fill(replay(), range(EPISODE), present=np.array([True, False]))
