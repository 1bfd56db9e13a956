"""Replay against a plain list of all rows; results are a function of counters, on disk and off."""

import threading
from pathlib import Path

import numpy as np
import pytest
from data.numbered import EPISODE, LATENTS, LENGTH, SPACES, STREAMS, empty, fill, latents, same
from hypothesis import given
from hypothesis import strategies as st

from reverie.data.replay import Replay, bytes_per_step, steps_in
from reverie.types import Step


def test_a_window_is_consecutive_rows_of_one_stream() -> None:
    replay = fill(empty(), range(50))
    batch = replay.draw(0, 64, replay.inserted)
    ids, sequence = batch
    assert ids.dtype == np.int64
    assert (np.diff(ids, axis=1) == STREAMS).all()
    np.testing.assert_array_equal(sequence.observation["state"][..., 0], ids)
    np.testing.assert_array_equal(sequence.observation["pixels"][..., 0, 0, 0], ids % 256)
    np.testing.assert_array_equal(sequence.action[..., 0], ids % 5)
    np.testing.assert_array_equal(sequence.reward, ids)
    np.testing.assert_array_equal(sequence.is_first, ids // STREAMS % EPISODE == 0)
    np.testing.assert_array_equal(sequence.terminated, ids // STREAMS % EPISODE == EPISODE - 1)
    np.testing.assert_array_equal(replay.latents(ids)["stoch"][..., 0], ids)
    assert sequence.observation["pixels"].dtype == np.uint8
    assert replay.latents(ids)["deter"].dtype.name == "bfloat16"


def test_the_number_of_windows() -> None:
    assert len(empty()) == 0
    assert len(fill(empty(), range(3))) == 0
    assert len(fill(empty(), range(10))) == STREAMS * (10 - LENGTH + 1)
    assert len(fill(empty(capacity=21), range(60))) == STREAMS * (10 - LENGTH + 1)


def test_the_oldest_rows_leave_one_by_one() -> None:
    replay = fill(empty(capacity=20, online=False), range(33))
    ids = replay.draw(0, 400, replay.inserted).ids
    assert (ids.min(), ids.max()) == (23 * STREAMS, 33 * STREAMS - 1)


def test_a_draw_is_a_function_of_seed_and_number() -> None:
    replay, other = fill(empty(online=False), range(50)), fill(empty(seed=1, online=False), range(50))
    draws = [replay.draw(n, 16, 100) for n in range(3)]
    assert same(replay.draw(2, 16, 100), draws[2])
    assert not same(draws[0], draws[1])
    assert not same(draws[0], other.draw(0, 16, 100))


def test_rows_added_later_change_nothing() -> None:
    early, late = empty(capacity=40), empty(capacity=40)
    fill(early, range(30))
    fill(late, range(70))
    for n in range(4):
        assert same(early.draw(n, 8, 60), late.draw(n, 8, 60))


def test_rows_overwritten_meanwhile_are_an_error() -> None:
    replay = fill(empty(capacity=40), range(200))
    with pytest.raises(RuntimeError, match="were overwritten"):
        replay.draw(0, 8, 60)


def test_drawing_while_adding_equals_drawing_before() -> None:
    quiet, busy = fill(empty(capacity=60), range(40)), fill(empty(capacity=60), range(40))
    expected = [quiet.draw(n, 32, 80) for n in range(40)]
    writer = threading.Thread(target=fill, args=(busy, range(40, 90)))
    writer.start()
    drawn = [busy.draw(n, 32, 80) for n in range(40)]
    writer.join()
    assert all(map(same, drawn, expected))


def test_the_online_queue_comes_first_and_gives_every_row_once() -> None:
    replay = fill(empty(), range(2 * LENGTH))
    first = replay.draw(0, 3, replay.inserted).ids[:, 0]
    assert first.tolist() == [0, 1, LENGTH * STREAMS]
    fill(replay, range(2 * LENGTH, 3 * LENGTH))
    second = replay.draw(1, 8, replay.inserted).ids[:, 0]
    assert second[:3].tolist() == [LENGTH * STREAMS + 1, 2 * LENGTH * STREAMS, 2 * LENGTH * STREAMS + 1]


def test_draws_come_in_order() -> None:
    replay = fill(empty(), range(20))
    replay.draw(0, 2, 40)
    with pytest.raises(ValueError, match="batch 2 is out of order; batch 1 is next"):
        replay.draw(2, 2, 40)
    with pytest.raises(ValueError, match="only 40 rows"):
        replay.draw(1, 2, 41)
    with pytest.raises(ValueError, match="no window of 4 rows"):
        empty().draw(0, 2, 0)


def test_an_unannounced_reset_is_marked_truncated() -> None:
    replay = empty(online=False)
    for time in range(12):
        fill(replay, range(time % 5, time % 5 + 1))  # starts again after 5 of 7 rows
    sequence = replay.draw(0, 50, replay.inserted).sequence
    np.testing.assert_array_equal(sequence.truncated[:, :-1], sequence.is_first[:, 1:])
    assert sequence.truncated.any()
    assert not sequence.truncated[:, -1].any()
    assert not fill(empty(), range(20)).draw(0, 50, 40).sequence.truncated.any(), "terminated rows stay as they are"


def test_latents_are_written_back() -> None:
    replay = fill(empty(), range(20))
    ids = np.array([[4, 8, 8], [6, 10, 12]])
    new = latents(ids + 100)
    new["stoch"][0, 2] = 77
    replay.write_back(ids, new)
    np.testing.assert_array_equal(replay.latents(np.array([4, 6, 8, 10, 12, 5]))["stoch"][:, 0],
                                  [104, 106, 77, 110, 112, 5])  # fmt: skip


def test_write_back_ignores_evicted_rows() -> None:
    replay = fill(empty(capacity=20), range(200))
    held = np.arange(400 - STREAMS * (10 + 64), 400)
    before = replay.latents(held)["stoch"]
    replay.write_back(np.array([0, 398]), latents(np.array([1, 2])))
    after = replay.latents(held)["stoch"]
    assert held[(before != after).any(axis=1)].tolist() == [398]


def test_write_back_casts_nothing() -> None:
    replay = fill(empty(), range(20))
    wrong = latents(np.array([1])) | {"deter": np.zeros((1, 4), np.float32)}
    with pytest.raises(ValueError, match="'deter': rows are float32"):
        replay.write_back(np.array([4]), wrong)


def test_wrong_rows_are_refused() -> None:
    replay = empty()
    row = Step({"state": np.zeros((2, 3), np.float32)}, *np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="declared are"):
        replay.add(row, np.zeros((2, 1), np.int32), latents(np.arange(2)))
    with pytest.raises(ValueError, match="each of 2 streams"):
        replay.add(row, np.zeros((3, 1), np.int32), latents(np.arange(2)))
    assert replay.inserted == 0
    with pytest.raises(ValueError, match="need at least 8"):
        empty(capacity=7)


def test_a_budget_of_memory() -> None:
    row = 4 + 12 + 4 + 4 + 3 + 8 + 2
    assert bytes_per_step(SPACES, LATENTS) == row
    assert steps_in(1.0, SPACES, LATENTS, streams=2, lag=5) == pytest.approx(2**30 / row / (1 + 1 / 16), rel=1e-6)


def test_what_lags_far_behind_the_insertion_is_still_there() -> None:
    """Asked for early and drawn late: the ring is larger by what may come in between."""
    replay = Replay(SPACES, LATENTS, streams=STREAMS, length=LENGTH, capacity=40 * STREAMS, seed=0, lag=300)
    fill(replay, range(340))
    replay.draw(0, 4, 40 * STREAMS)
    fill(replay, range(340, 341))
    with pytest.raises(RuntimeError, match="overwritten"):
        replay.draw(1, 4, 40 * STREAMS)


# ------------------------------------------------------------------------------------------------------ on the disk


def saved(replay: Replay, folder: Path) -> dict[str, np.ndarray]:
    replay.seal(folder)
    return {name: values.copy() for name, values in replay.state().items()}


@given(st.integers(4, 150), st.integers(0, 60), st.integers(0, 3), st.sampled_from([16, 44, 1000]))
def test_restored_equals_unbroken(
    tmp_path_factory: pytest.TempPathFactory, rows: int, more: int, draws: int, capacity: int
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    replay = empty(capacity)
    for n, time in enumerate(np.linspace(rows // 2, rows, draws, endpoint=False).astype(int)):
        fill(replay, range(replay.inserted // STREAMS, max(LENGTH, time)))
        batch = replay.draw(n, 3, replay.inserted)
        replay.write_back(batch.ids, latents(batch.ids + 1))
        replay.seal(folder)
    fill(replay, range(replay.inserted // STREAMS, rows))
    state = saved(replay, folder)
    back = empty(capacity)
    assert back.restore(folder, state) == []
    for one in (replay, back):
        fill(one, range(rows, rows + more))
    for n in range(draws, draws + 3):
        one, other = replay.draw(n, 5, replay.inserted), back.draw(n, 5, back.inserted)
        assert same(one, other)
        np.testing.assert_array_equal(replay.latents(one.ids)["stoch"], back.latents(one.ids)["stoch"])


def test_batches_drawn_ahead_are_not_part_of_the_state(tmp_path: Path) -> None:
    replay = fill(empty(), range(40))
    replay.draw(0, 4, 80)
    ahead = [replay.draw(n, 4, 80, ahead=True) for n in (1, 2, 3)]
    replay.use(1)
    back = empty()
    back.restore(tmp_path, saved(replay, tmp_path))
    assert same(back.draw(2, 4, 80), ahead[1])
    with pytest.raises(ValueError, match="batch 1 is out of order"):
        back.draw(1, 4, 80)


def test_a_bad_chunk_becomes_a_gap(tmp_path: Path) -> None:
    replay = empty(online=False)
    for end in (20, 40, 60):
        fill(replay, range(end - 20, end))
        state = saved(replay, tmp_path)
    path = tmp_path / f"{20 * STREAMS:014d}.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    back = empty(online=False)
    messages = back.restore(tmp_path, state)
    assert "checksum differs" in messages[0]
    assert "40 rows" in messages[1]
    assert len(back) == STREAMS * 2 * (20 - LENGTH + 1)
    times = back.draw(0, 500, 120).ids // STREAMS
    assert not ((times >= 20) & (times < 40)).any()
    assert {bool(row[0] < 20) for row in times} == {True, False}
    fill(back, range(60, 80))
    assert empty(online=False).restore(tmp_path, saved(back, tmp_path)) == messages[1:], "the gap is not sealed over"


def test_a_stream_without_a_row_has_a_gap_also_after_a_restart(tmp_path: Path) -> None:
    replay = fill(empty(online=False), range(20))
    before = replay.draw(0, 200, replay.inserted, ahead=True)
    fill(replay, range(20, 25), present=np.array([True, False]))
    assert same(before, replay.draw(0, 200, 20 * STREAMS)), "what was inserted before does not know of it"
    fill(replay, range(25, 60))
    back = empty(online=False)
    assert back.restore(tmp_path, saved(replay, tmp_path)) == []
    assert len(back) == len(replay) == 60 - LENGTH + 1 + 20 - LENGTH + 1 + 35 - LENGTH + 1
    batch = replay.draw(1, 500, 120)
    assert same(batch, back.draw(1, 500, 120))
    times, streams = batch.ids // STREAMS, batch.ids % STREAMS
    assert not ((times >= 20) & (times < 25) & (streams == 1)).any()
    before_the_gap = (times[:, -1] == 19) & (streams[:, -1] == 1)
    assert before_the_gap.any()
    assert batch.sequence.truncated[before_the_gap, -1].all()
    elsewhere = ~before_the_gap & (times[:, -1] % EPISODE != EPISODE - 1)
    assert not batch.sequence.truncated[elsewhere, -1].any()


def test_chunks_of_a_lost_future_are_deleted(tmp_path: Path) -> None:
    replay = fill(empty(), range(20))
    state = saved(replay, tmp_path)
    fill(replay, range(20, 50))
    replay.seal(tmp_path)
    back = empty()
    assert back.restore(tmp_path, state) == []
    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [f"{0:014d}.safetensors"]
    fill(back, range(20, 30))
    assert empty().restore(tmp_path, saved(back, tmp_path)) == []


def test_chunks_that_no_checkpoint_needs_are_deleted(tmp_path: Path) -> None:
    replay = empty(capacity=20)
    held = 20 + 2 * 64
    for time in range(0, 400, 10):
        fill(replay, range(time, time + 10))
        replay.seal(tmp_path)
    replay.discard(tmp_path, replay.inserted - 100)
    needed = 800 - 100 - held
    assert min(int(path.stem) for path in tmp_path.glob("*.safetensors")) == needed // 20 * 20


def test_another_replay_is_refused(tmp_path: Path) -> None:
    state = saved(fill(empty(), range(20)), tmp_path)
    with pytest.raises(ValueError, match="other sizes"):
        empty(capacity=500).restore(tmp_path, state)
    with pytest.raises(ValueError, match="saved with latents"):
        empty().restore(tmp_path, {name: state[name] for name in ("counters", "gaps")})


def test_rows_by_number_are_as_they_are() -> None:
    ids = np.array([7, 3, 40])
    rows = fill(empty(), range(50)).rows(ids)
    np.testing.assert_array_equal(rows.reward, ids)
    np.testing.assert_array_equal(rows.observation["state"][:, 0], ids)
    np.testing.assert_array_equal(rows.is_first, ids // STREAMS % EPISODE == 0)


def test_picks_are_a_function_of_seed_and_number_and_uniform() -> None:
    replay, other = fill(empty(), range(50)), fill(empty(seed=1), range(50))
    np.testing.assert_array_equal(replay.pick(3, 20).reward, replay.pick(3, 20).reward)
    assert (replay.pick(3, 20).reward != replay.pick(4, 20).reward).any()
    assert (replay.pick(3, 20).reward != other.pick(3, 20).reward).any()
    drawn = np.bincount(replay.pick(0, 20_000).reward.astype(int), minlength=STREAMS * 50)
    starts = STREAMS * (50 - LENGTH + 1)
    assert not drawn[starts:].any(), "the last rows begin no window"
    np.testing.assert_allclose(drawn[:starts], 20_000 / starts, rtol=0.35)


def test_the_rows_of_a_stream_are_those_that_are_here(tmp_path: Path) -> None:
    replay = fill(empty(capacity=40), range(33))
    assert replay.times(1).tolist() == [time * STREAMS + 1 for time in range(13, 33)]
    whole = fill(empty(5000), range(1500))
    whole.seal(tmp_path)
    (tmp_path / "00000000001024.safetensors").unlink()
    other = empty(5000)
    other.restore(tmp_path, whole.state())
    lost = set(range(1024, 2048))
    assert other.times(0).tolist() == [row for row in range(0, 3000, STREAMS) if row not in lost]
