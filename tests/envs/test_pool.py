import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from envs.worlds import (
    LENGTH,
    Counter,
    DiesOnce,
    HangsOnce,
    NotANumber,
    Parent,
    RaisesAlways,
    RaisesAndDies,
    RaisesAndIsLate,
    RaisesOnce,
    Truncating,
    Unseeded,
    broken,
    dies_at_birth,
)

from reverie.envs.config import EnvironmentConfig
from reverie.envs.pool import Pool, episode_seed
from reverie.errors import UserError
from reverie.types import Step


def actions(step: int, count: int) -> np.ndarray:
    return (np.arange(count)[:, None] + step) % 3


def play(pool: Pool, steps: int, start: int = 0) -> list[Step]:
    return [pool.step(actions(start + step, pool.count)) for step in range(steps)]


def until_back(pool: Pool, line: int, least: int) -> tuple[list[Step], list[np.ndarray]]:
    """At least so many rows, until a line had one in the last turn but one; and which lines had one, turn by turn."""
    rows, present = [pool.step(None)], [pool.present]
    while len(rows) < least or not present[-2][line]:
        rows += play(pool, 1, len(rows) - 1)
        present.append(pool.present)
        time.sleep(0.01)
    return rows, present


def table(rows: list[Step], line: int) -> list[list[Any]]:
    """(first?, clock, reward, terminated, truncated) of one environment, row by row."""
    clocks = [int(row.observation["observation"][line, 1]) for row in rows]
    numbers = [(float(row.reward[line]), bool(row.terminated[line]), bool(row.truncated[line])) for row in rows]
    return [[bool(row.is_first[line]), clock, *rest] for row, clock, rest in zip(rows, clocks, numbers, strict=True)]


@pytest.mark.parametrize("world", [Counter, Truncating])
def test_no_row_is_lost_and_none_is_invented(world: type[Counter]) -> None:
    with Pool(world, count=2) as pool:
        rows = [pool.step(None), *play(pool, LENGTH + 2)]
    ends = [not world.truncates, world.truncates]
    assert table(rows, 1) == [
        [True, 0, 0, False, False],
        [False, 1, 1, False, False],
        [False, 2, 2, False, False],
        [False, 3, 3, False, False],
        [False, 4, 4, *ends],
        [True, 0, 0, False, False],
        [False, 1, 1, False, False],
    ]
    first_seeds = [episode_seed(0, line, 0) % 1000 for line in range(2)]
    assert rows[0].observation["observation"][:, 0].tolist() == first_seeds
    assert rows[5].observation["observation"][1, 0] == episode_seed(0, 1, 1) % 1000


def test_an_action_at_the_end_is_ignored() -> None:
    with Pool(Counter, count=1) as pool:
        pool.step(None)
        rows = [pool.step(np.full((1, 1), step % 3)) for step in range(LENGTH + 1)]
    assert rows[-1].observation["observation"][0].tolist() == [episode_seed(0, 0, 1) % 1000, 0, 0]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_change_nothing(workers: int) -> None:
    def rows(workers: int) -> list[Step]:
        with Pool("CartPole-v1", count=3, workers=workers, seed=7) as pool:
            return [pool.step(None), *(pool.step(actions(step, 3) % 2) for step in range(40))]

    np.testing.assert_equal(rows(workers), rows(0))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_environment_that_raises_begins_anew(workers: int) -> None:
    with Pool(RaisesOnce, count=2, workers=workers) as pool:
        rows = [pool.step(None), *play(pool, 3)]
        assert pool.failures == 1
    assert [row[:2] for row in table(rows, 0)] == [[True, 0], [False, 1], [True, 0], [False, 1]]
    assert rows[2].observation["observation"][0, 0] == episode_seed(0, 0, 1) % 1000
    assert [row[:2] for row in table(rows, 1)] == [[True, 0], [False, 1], [False, 2], [False, 3]]


def test_a_worker_that_dies_is_replaced_in_the_same_turn(caplog: Any) -> None:
    with Pool(DiesOnce, count=3, workers=2) as pool:
        rows = [pool.step(None), *play(pool, 3)]
        assert pool.failures == 1
        assert pool.present.all()
    assert "died (exit code 3)" in caplog.text
    for line in (0, 1):  # one worker hosts both
        assert [row[:2] for row in table(rows, line)] == [[True, 0], [False, 1], [True, 0], [False, 1]]
    assert [row[:2] for row in table(rows, 2)] == [[True, 0], [False, 1], [False, 2], [False, 3]]


def test_the_others_go_on_without_a_worker_that_hangs(caplog: Any) -> None:
    with Pool(HangsOnce, count=3, workers=2, step_deadline=0.3) as pool:
        rows, present = until_back(pool, 0, 4)
        assert pool.failures == 1
    assert "no answer within" in caplog.text
    away = np.array([~here for here in present])
    assert (away[:, 0] == away[:, 1]).all(), "one worker hosts both"
    assert away[:, 0].tolist() == [False, False, *[True] * (len(rows) - 4), False, False]
    assert not away[:, 2].any()
    for line in (0, 1):
        begun = [row for row, gone in zip(table(rows, line), away[:, line], strict=True) if not gone]
        assert [row[:2] for row in begun] == [[True, 0], [False, 1], [True, 0], [False, 1]]
    assert [row[1] for row in table(rows, 2)] == [clock % (LENGTH + 1) for clock in range(len(rows))]


def test_a_row_that_is_lost_with_its_worker_is_no_row() -> None:
    """The first of two lines has its row when the second, which raised, takes the worker along as it begins anew."""
    with Pool(RaisesAndDies, count=3, workers=2, step_deadline=0.5) as pool:
        rows, present = until_back(pool, 1, 5)
    assert present[2].tolist() == [False, False, True]
    for line in (0, 1):
        here = [row[:2] for row, now in zip(table(rows, line), present, strict=True) if now[line]]
        assert here == [[True, 0], [False, 1], [True, 0], [False, 1]]


def test_nobody_goes_on_where_nobody_is_left() -> None:
    with Pool(HangsOnce, count=2, workers=1, step_deadline=0.3) as pool:
        rows = [pool.step(None), *play(pool, 3)]
        assert pool.present.all()
    assert [row[:2] for row in table(rows, 1)] == [[True, 0], [False, 1], [True, 0], [False, 1]]


def test_beside_a_line_that_is_late_episodes_end_and_begin_anew() -> None:
    """The first of two lines of a worker raises, and then takes longer than a deadline to begin anew."""
    with Pool(RaisesAndIsLate, count=3, workers=2, step_deadline=0.5) as pool:
        rows, present = until_back(pool, 1, 5)
    here = [[line for line in range(3) if now[line]] for now in present]
    assert here[:3] == [[0, 1, 2], [0, 1, 2], [1, 2]]
    assert here[-3:] == [[0, 2], [0, 1, 2], [0, 1, 2]]
    assert set(map(tuple, here[3:-3])) == {(2,)}
    beside = [row for row, now in zip(table(rows, 1), present, strict=True) if now[1]]
    assert beside == [
        [True, 0, 0, False, False],
        [False, 1, 1, False, False],
        [False, 2, 2, False, True],
        [True, 0, 0, False, False],
        [False, 1, 1, False, False],
    ]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_always_fails_ends_with_its_own_traceback(workers: int) -> None:
    with Pool(RaisesAlways, count=1, workers=workers) as pool:
        pool.step(None)
        with pytest.raises(UserError, match=r"(?s)RaisesAlways failed 6 times.*the gears are jammed") as caught:
            play(pool, 20)
        assert caught.value.code == 70


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_not_a_number_ends_at_once(workers: int) -> None:
    with Pool(NotANumber, count=1, workers=workers) as pool:
        pool.step(None)
        with pytest.raises(UserError, match=r"NotANumber, step 3 of the episode: observation 'observation' is not"):
            play(pool, 3)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_was_mended_is_counted_and_survives_a_restart(workers: int) -> None:
    config = EnvironmentConfig(not_finite="truncate")
    with Pool(NotANumber, config, count=2, workers=workers) as pool:
        rows = [pool.step(None), *play(pool, 6)]
        assert (pool.mended, pool.failures) == (2, 0)
        state = pool.state()
    assert [row[:2] + row[3:] for row in table(rows, 1)[2:5]] == [
        [False, 2, False, False],
        [False, 2, False, True],
        [True, 0, False, False],
    ]
    with Pool(NotANumber, config, count=2, workers=workers) as pool:
        assert pool.restore(state) == []
        assert pool.mended == 2, "what is only played again is not counted again"
        play(pool, 1, start=6)
        assert pool.mended == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_what_cannot_be_made(workers: int) -> None:
    with pytest.raises(UserError, match=r"(?s)could not be made.*no such world"):
        Pool(broken, count=1, workers=workers)


def test_what_dies_while_being_made() -> None:
    with pytest.raises(UserError, match=r"could not be made in a worker. The worker process died \(exit code 4\)"):
        Pool(dies_at_birth, count=1, workers=1)


def test_a_mistake_in_the_name_crosses_the_border() -> None:
    with pytest.raises(UserError, match="no environment 'CartPole-v9'") as caught:
        Pool("CartPole-v9", count=1, workers=1)
    assert caught.value.code == 2


def test_a_factory_without_a_name_cannot_cross() -> None:
    with pytest.raises(UserError, match="cannot be found by name from another process"):
        Pool(lambda: Counter(), count=1, workers=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_restored_episodes_go_on_as_if_nothing_happened(workers: int) -> None:
    with Pool("CartPole-v1", count=3, seed=1) as pool:
        pool.step(None)
        for step in range(25):
            pool.step(actions(step, 3) % 2)
        state, last = pool.state(), pool.last
        onward = [pool.step(actions(step, 3) % 2) for step in range(25, 60)]
    with Pool("CartPole-v1", count=3, seed=1, workers=workers) as pool:
        assert pool.restore(state) == []
        np.testing.assert_equal(pool.last, last)
        np.testing.assert_equal([pool.step(actions(step, 3) % 2) for step in range(25, 60)], onward)


@pytest.mark.parametrize("steps", [LENGTH - 1, LENGTH, LENGTH + 1])
def test_restoring_around_the_end_of_an_episode(steps: int) -> None:
    with Pool(Counter, count=2) as pool:
        pool.step(None)
        play(pool, steps)
        state = pool.state()
        onward = play(pool, 6, start=steps)
    with Pool(Counter, count=2) as pool:
        assert pool.restore(state) == []
        np.testing.assert_equal(play(pool, 6, start=steps), onward)


def test_an_episode_that_cannot_be_replayed_is_cut_and_says_so() -> None:
    with Pool(Unseeded, count=2) as pool:
        pool.step(None)
        play(pool, 2)
        state = pool.state()
    with Pool(Unseeded, count=2) as pool:
        messages = pool.restore(state)
        assert pool.last is not None
        assert pool.last.truncated.tolist() == [True, True]
        assert pool.step(actions(0, 2)).is_first.tolist() == [True, True]
    assert len(messages) == 2
    assert "Unseeded, environment 0: replaying its episode led elsewhere; it is cut." in messages[0]


def test_an_unstepped_pool_restores_to_the_start() -> None:
    with Pool(Counter, count=1) as pool:
        state = pool.state()
    with Pool(Counter, count=1) as pool:
        assert pool.restore(state) == []
        assert pool.step(None).observation["observation"][0, 0] == episode_seed(0, 0, 0) % 1000


def test_the_state_of_another_pool_is_refused() -> None:
    with Pool(Counter, count=1, seed=3) as pool:
        state = pool.state()
    message = "of seed 3, this pool's is 0"
    with Pool(Counter, count=1) as pool, pytest.raises(ValueError, match=message):
        pool.restore(state)


@pytest.mark.parametrize(
    "change",
    [
        {"episode": None}, {"reward": None}, {"terminated": np.zeros(1, bool)}, {"seed": np.zeros(0, np.int64)},
        {"length": np.array([10**6, 1])}, {"length": np.array([-1, 5])}, {"troubles": np.zeros(3, np.int64)},
        {"reward": np.zeros(2)}, {"episode": np.array([-7, 0])},
    ],
    ids=str,
)  # fmt: skip
def test_a_state_of_something_else_is_refused(change: dict[str, Any]) -> None:
    with Pool(Counter, count=2) as pool:
        pool.step(None)
        pool.step(actions(0, 2))
        pool.step(actions(0, 2))
        state = {name: array for name, array in (pool.state() | change).items() if array is not None}
    with Pool(Counter, count=2) as pool, pytest.raises(ValueError, match=r"Pool\.restore: the state"):
        pool.restore(state)


def test_wrong_calls_say_what_is_needed() -> None:
    with pytest.raises(ValueError, match="count must be 1 or more"):
        Pool(Counter, count=0)
    with Pool(Counter, count=2) as pool:
        pool.step(None)
        with pytest.raises(ValueError, match="every environment needs an action"):
            pool.step(None)
        with pytest.raises(ValueError, match=r"shape \(2, 1\), got \(2,\)"):
            pool.step(np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="closed"):
        pool.step(np.zeros((2, 1), np.int32))


def test_seeds_differ_by_all_three() -> None:
    seeds = {episode_seed(seed, line, episode) for seed in range(6) for line in range(6) for episode in range(6)}
    assert len(seeds) == 6**3
    assert min(seeds) >= 0


def test_the_pool_hands_on_what_its_environments_say() -> None:
    with Pool("CartPole-v1", EnvironmentConfig(repeat=2), count=1, workers=1) as pool:
        assert (pool.id, pool.repeat, pool.spaces.action.classes) == ("CartPole-v1", 2, (2,))


SCRIPT = """
import json, multiprocessing, sys, time
from reverie.envs.pool import Pool
if __name__ == "__main__":
    pool = Pool("reverie/Memory-v0", count=2, workers=2)
    pool.step(None)
    print(json.dumps([process.pid for process in multiprocessing.active_children()]), flush=True)
    {then}
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "then", ["time.sleep(60)", "sys.exit()", "raise KeyError", "multiprocessing.process.os._exit(1)"]
)
def test_no_worker_outlives_its_trainer(then: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(then=then))
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process.stdout:
        workers = json.loads(process.stdout.readline())
    assert len(workers) == 2
    if "sleep" in then:
        os.kill(process.pid, signal.SIGKILL)
    process.wait(20)
    until = time.monotonic() + 5
    while any(alive(pid) for pid in workers) and time.monotonic() < until:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in workers)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_outlives_the_worker_that_started_it() -> None:
    with Pool(Parent, count=1, workers=1) as pool:
        child = int(pool.step(None).observation["observation"][0, 0])
        assert alive(child)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid or 0, signal.SIGKILL)
        worker.join()
        until = time.monotonic() + 5
        while alive(child) and time.monotonic() < until:
            time.sleep(0.02)
        assert not alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /dev/shm")
def test_no_memory_has_a_name() -> None:
    before = set(Path("/dev/shm").iterdir())
    with Pool(Counter, count=1, workers=1) as pool:
        pool.step(None)
        assert set(Path("/dev/shm").iterdir()) <= before


def test_signals_for_the_trainer_leave_workers_alone() -> None:
    with Pool(Counter, count=1, workers=1) as pool:
        pool.step(None)
        for process in multiprocessing.active_children():
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(process.pid or 0, number)
        play(pool, 2)
        assert pool.failures == 0
