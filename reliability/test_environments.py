"""Environments that fail in every way: what is learned from stays finite and whole, and nobody waits in vain."""

import itertools
import logging
import os
import resource
import signal
import threading
import time
import tracemalloc
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reliability.faulty import LENGTH, MEGABYTE, Fault, FaultyEnv
from reliability.odd import SPACES, Odd
from reliability.oracle import DEADLY, HANGING, HARMLESS, IN_PLACE, NOT_FINITE, RAISING, Oracle, Row
from reverie.data.replay import Replay
from reverie.envs import pool as pool_module
from reverie.envs.config import EnvironmentConfig
from reverie.envs.pool import Pool
from reverie.envs.rows import Command, Rows
from reverie.envs.worker import Worker
from reverie.errors import UserError
from reverie.run.collect import Collector
from reverie.types import Step

COUNT = 3
DEADLINE = 2.0
"""Of a step, in seconds; far more than a step takes on a busy machine."""
NOTICED, RESTARTED = 1.0, 5.0


def pool(
    script: Sequence[Fault],
    count: int = COUNT,
    workers: int = 0,
    policy: str = "error",
    deadline: float = DEADLINE,
) -> Pool:
    config = EnvironmentConfig(not_finite=policy)
    environment = partial(FaultyEnv, tuple(script))
    return Pool(environment, config, count=count, workers=workers, step_deadline=deadline, reset_deadline=30.0)


def spread(kinds: Sequence[str], steps: Sequence[int] = (2,)) -> list[Fault]:
    """One fault after another, each in the next environment, and there in every second episode."""
    clocks = itertools.cycle(steps)
    return [Fault(n % COUNT, 2 * (n // COUNT) + 1, next(clocks), kind) for n, kind in enumerate(kinds)]


SURVIVABLE = spread([*RAISING, *NOT_FINITE, *HARMLESS], (2, 1, LENGTH, 3))
AT_RESET = [Fault(0, 14, 0, "raise"), Fault(1, 14, 0, "nan"), Fault(2, 14, 0, "sys.exit"), Fault(0, 15, 0, "raise")]
DEATHS = [Fault(n % COUNT, 16 + 2 * (n // COUNT), (2, 0, 3)[n % 3], kind) for n, kind in enumerate(DEADLY)]
QUICK_DEATHS = [fault for fault in DEATHS if fault.kind not in HANGING]
STEPS = 24 * (LENGTH + 1)


def collected(faulty: Pool, steps: int, capacity: int = 10**5) -> tuple[Replay, list[Step]]:
    """The replay after so many steps, and every row that went into it."""
    replay = Replay(faulty.spaces, {}, streams=faulty.count, length=8, capacity=capacity, seed=0, online=False)
    collector, rows = Collector(faulty, replay), []

    def act(row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rows.append(row)
        return np.full((faulty.count, *faulty.spaces.action.shape), len(rows) % 2, np.int32), {}

    for _ in range(steps):
        collector.step(act)
    return replay, rows


def table(row: Step) -> list[Row]:
    place = row.observation["place"]
    columns = (row.is_first, place[:, 0], place[:, 1], row.reward, row.terminated, row.truncated)
    return [Row(*(column[line].item() for column in columns)) for line in range(len(place))]


def assert_fit_to_learn_from(replay: Replay, draws: int = 2000) -> None:
    """Every number is finite, and no sequence crosses the end of an episode unmarked."""
    sequence = replay.draw(0, draws, replay.inserted).sequence
    assert all(np.isfinite(array).all() for array in (sequence.reward, *sequence.observation.values()))
    assert sequence.is_first[:, 1:].any()
    assert sequence.is_last[:, :-1][sequence.is_first[:, 1:]].all()
    assert sequence.is_first[:, 1:][sequence.is_last[:, :-1]].all()


@pytest.fixture
def no_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "WINDOW", 0.0)


@pytest.mark.usefixtures("no_breaker")
@pytest.mark.parametrize(
    ("workers", "policy"), [(0, "truncate"), (0, "sanitise"), (1, "sanitise"), (2, "truncate"), (3, "sanitise")]
)
def test_thirty_faults_leave_the_rows_that_the_rules_say(workers: int, policy: str) -> None:
    script = SURVIVABLE + AT_RESET + {0: [], 1: DEATHS}.get(workers, QUICK_DEATHS)
    assert len(script) >= {0: 23, 1: 30}.get(workers, 28)
    oracle = Oracle(script, COUNT, workers, policy)
    with pool(script, workers=workers, policy=policy) as faulty:
        replay, rows = collected(faulty, STEPS)
        assert [table(row) for row in rows] == [oracle.step() for _ in rows]
        oracle.step()  # the pool is one row ahead of the replay
        assert (faulty.failures, faulty.mended) == (oracle.failures, oracle.mended)
        assert min(oracle.episode) >= 22, "the whole script was played"
    assert_fit_to_learn_from(replay)


@pytest.mark.usefixtures("no_breaker")
@pytest.mark.parametrize("policy", ["truncate", "sanitise"])
def test_one_row_in_a_hundred_is_not_finite(policy: str) -> None:
    rng = np.random.default_rng(5)
    cells = [(line, episode, step) for line in range(10) for episode in range(300) for step in range(LENGTH + 1)]
    script = [Fault(*cell, rng.choice(NOT_FINITE if cell[2] else IN_PLACE)) for cell in cells if rng.random() < 0.01]
    oracle = Oracle(script, 10, 0, policy)
    with pool(script, count=10, policy=policy) as faulty:
        replay, rows = collected(faulty, 1000)
        assert [table(row) for row in rows] == [oracle.step() for _ in rows]
        oracle.step()
        assert (faulty.failures, faulty.mended) == (oracle.failures, oracle.mended)
        assert oracle.mended > 50
    assert_fit_to_learn_from(replay)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("kind", "field"), [("nan", r"observation 'place' is not finite: \[nan\]"), ("reward inf", "reward is .*: inf")]
)
def test_by_default_the_first_such_row_ends_the_run(workers: int, kind: str, field: str) -> None:
    message = rf"faulty:FaultyEnv, step 2 of the episode: {field}.*not_finite: truncate .* sanitise .* error"
    with pool([Fault(1, 0, 2, kind)], workers=workers) as faulty:
        faulty.step(None)
        faulty.step(np.zeros((COUNT, 1), np.int32))
        with pytest.raises(UserError, match=message) as caught:
            faulty.step(np.zeros((COUNT, 1), np.int32))
    assert caught.value.code == 70


LIES = {
    "shape": r"observation 'place' has shape \(2,\), but the space says \(3,\)",
    "picture shape": r"observation 'picture' has shape \(3, 4, 3\), but the space says \(4, 4, 3\)",
    "dtype": "observation 'picture' has dtype float64, but the space says uint8",
    "objects": "observation 'place' has dtype object, but the space says float64",
    "text": r"observation 'place' has dtype <U\d+, but the space says float64",
    "complex": "observation 'place' has dtype complex128, but the space says float64",
    "choice": r"observation 'choice' is \[3\], outside of Discrete\(3\)",
    "choice nan": "observation 'choice' has dtype float64, but the space says int64",
    "pixels": "observation 'picture' has pixels from 302 to 302, outside of 0 to 255",
    "nothing": r"observation 'place' has shape \(\), but the space says \(3,\)",
    "missing": "observation 'picture' is missing",
    "reward none": "reward is None, not a number",
    "reward text": "reward is 'much', not a number",
    "end nan": "terminated is nan, neither true nor false",
    "end text": "truncated is 'no', neither true nor false",
    "four": r"step\(\) did not give \(observation, reward, terminated, truncated, info\)",
}


@pytest.mark.parametrize("policy", ["error", "truncate", "sanitise"])
@pytest.mark.parametrize("kind", LIES)
def test_a_broken_promise_ends_the_run_under_every_policy(kind: str, policy: str) -> None:
    with pool([Fault(2, 0, 2, kind)], policy=policy) as faulty:
        faulty.step(None)
        faulty.step(np.zeros((COUNT, 1), np.int32))
        with pytest.raises(UserError, match=rf"FaultyEnv, step 2 of the episode: {LIES[kind]}") as caught:
            faulty.step(np.zeros((COUNT, 1), np.int32))
    assert caught.value.code == 70


def test_a_broken_promise_crosses_the_border() -> None:
    with pool([Fault(2, 0, 1, "dtype")], workers=2) as faulty:
        faulty.step(None)
        with pytest.raises(UserError, match=LIES["dtype"]):
            faulty.step(np.zeros((COUNT, 1), np.int32))


def hired(script: Sequence[Fault]) -> tuple[Worker, Rows]:
    """A worker whose environment has its first row."""
    deadlines = {"step_deadline": 60.0, "reset_deadline": 60.0}
    worker = Worker(partial(FaultyEnv, tuple(script)), EnvironmentConfig(), (0,), **deadlines)
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    rows.command[0], rows.seed[0] = Command.RESET, pool_module.episode_seed(0, 0, 0)
    worker.go()
    assert worker.done() == {}
    rows.command[0] = Command.STEP
    return worker, rows


@pytest.mark.parametrize("kind", ["segfault", "_exit", "orphan"])
def test_a_death_is_noticed_and_mended_in_seconds(kind: str) -> None:
    worker, rows = hired([Fault(0, 0, 1, kind)])
    began = time.monotonic()
    worker.go()
    assert "died" in worker.done()[0]
    noticed = time.monotonic()
    rows.command[0] = Command.RESET
    worker.go()
    assert worker.done() == {}
    restarted = time.monotonic()
    worker.leave()
    worker.close()
    assert noticed - began < NOTICED + (1.0 if kind == "orphan" else 0.0)  # it first starts the orphan
    assert restarted - noticed < RESTARTED


def test_a_kill_from_outside_is_noticed_while_the_environment_is_busy() -> None:
    worker, _ = hired([Fault(0, 0, 1, "hang")])
    killed: list[float] = []

    def kill() -> None:
        time.sleep(0.5)
        killed.append(time.monotonic())
        os.kill(worker._process.pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    worker.go()
    assert "died (exit code -9)" in worker.done()[0]
    assert time.monotonic() - killed[0] < NOTICED
    killer.join()
    worker.leave()
    worker.close()


AWAY = [fault for line in (1, 3) for fault in (Fault(line, 0, 2, "hang"), Fault(line, 1, 0, "very slow"))]
"""Two of four hang, and each takes seconds for the first row after that."""


@pytest.mark.usefixtures("no_breaker")
def test_the_others_wait_for_one_deadline_and_go_on_alone() -> None:
    oracle, waits, seen = Oracle([], 4, 4, "error"), list[float](), list[tuple[Step, np.ndarray]]()
    with pool(AWAY, count=4, workers=4) as faulty:
        replay = Replay(faulty.spaces, {}, streams=4, length=8, capacity=10**5, seed=0, online=False)
        collector = Collector(faulty, replay)

        def act(row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            time.sleep(0.01)
            seen.append((row, faulty.present))
            return np.ones((4, 1), np.int32), {}

        faulty.step(None)
        afterwards = 20
        while afterwards:
            began = time.monotonic()
            collector.step(act)
            waits.append(time.monotonic() - began)
            afterwards -= len(seen) > 3 and faulty.present.all()
    masked = ~np.array([present for _, present in seen])
    assert DEADLINE <= max(waits) < DEADLINE + 2 * NOTICED  # one each, to end it and say where it was
    assert sum(wait > NOTICED for wait in waits) == 1
    assert (masked.sum(axis=0) > 50).tolist() == [False, True, False, True]
    assert not masked[:, ::2].any()
    for row, present in seen:
        expected = oracle.step()
        assert table(row)[::2] == expected[::2]
        assert (row.is_first & row.truncated & ~row.terminated & (row.reward == 0))[~present].all()
    counted = np.array([~row.is_first for row, _ in [*seen[1:], (faulty.last, None)] if row is not None])
    assert collector.steps == counted.sum()
    assert_fit_to_learn_from(replay)
    ids = replay.draw(1, 2000, replay.inserted).ids
    assert not masked[ids // 4, ids % 4].any()
    assert set((ids % 4).ravel().tolist()) == {0, 1, 2, 3}


@pytest.mark.usefixtures("no_breaker")
def test_what_is_away_when_a_checkpoint_is_made_begins_its_next_episode() -> None:
    with pool(AWAY, count=4, workers=4) as faulty:
        faulty.step(None)
        for _ in range(3):
            before = faulty.step(np.ones((4, 1), np.int32))
        assert faulty.present.tolist() == [True, False, True, False]
        state = {name: values.copy() for name, values in faulty.state().items()}
    with pool([], count=4, workers=2) as again:
        assert again.restore(state) == []
        assert again.present.tolist() == [True, False, True, False]
        after = again.step(np.ones((4, 1), np.int32))
        assert again.present.all()
    assert before.observation["place"][::2, 1].tolist() == [3, 3]
    assert after.observation["place"][:, 1].tolist() == [4, 0, 4, 0]
    assert after.is_first.tolist() == [False, True, False, True]


@pytest.mark.usefixtures("no_breaker")
def test_a_slow_environment_leaves_the_deadline_of_the_next_alone() -> None:
    script = [Fault(line, 0, step, "slow") for line in range(8) for step in (0, 1)]
    with pool(script, count=8, workers=1) as faulty:
        faulty.step(None)
        began = time.monotonic()
        faulty.step(np.zeros((8, 1), np.int32))
        assert time.monotonic() - began > DEADLINE
        assert faulty.failures == 0


def test_a_hundred_deaths_are_survived_if_they_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=31)  # at least, per death, so 124 s per worker: never six in ten minutes
    monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    script = [Fault(line, episode, 1, "_exit") for line in range(4) for episode in range(25)]
    oracle = Oracle(script, 4, 4, "truncate")
    with pool(script, count=4, workers=4, deadline=1e9) as faulty:
        replay, rows = collected(faulty, 40)
        assert faulty.failures == 100
        assert [table(row) for row in rows] == [oracle.step() for _ in rows]
    assert_fit_to_learn_from(replay)


def hopeless(kind: str, workers: int) -> UserError:
    """What ends a run whose every episode has this fault."""
    script = [Fault(0, episode, 1, kind) for episode in range(20)]
    with pool(script, count=1, workers=workers) as faulty, pytest.raises(UserError) as caught:
        collected(faulty, 40)
    return caught.value


@pytest.mark.parametrize("workers", [0, 1])
def test_the_breaker_shows_the_environments_own_traceback(workers: int) -> None:
    error = hopeless("raise", workers)
    assert error.code == 70
    assert "FaultyEnv failed 6 times within 0 s; the last time:\nTraceback" in str(error)
    assert "RuntimeError: the gears are jammed" in str(error)
    assert "faulty.py" in str(error)


@pytest.mark.parametrize(
    ("kind", "why"), [("segfault", "died (exit code -11)"), ("hang", "gave no answer within its deadline (2 s a step")]
)
def test_the_breaker_shows_where_a_worker_died_or_hung(kind: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TOLERANCE", 1)
    error = hopeless(kind, 1)
    assert error.code == 70
    assert "failed 2 times" in str(error)
    assert why in str(error)
    assert "faulty.py" in str(error), "the interpreter said where"
    assert "in step" in str(error)


def test_a_leak_stays_in_its_process() -> None:
    page = resource.getpagesize()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    with pool([Fault(0, 0, step, "leak") for step in range(LENGTH)], workers=1) as faulty:
        before = resident()
        faulty.step(None)
        for _ in range(LENGTH - 1):
            faulty.step(np.zeros((COUNT, 1), np.int32))
        assert resident() - before < 64 * MEGABYTE
        assert faulty.failures == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_an_episode_that_ignores_its_seed_is_cut_when_it_cannot_be_played_again(workers: int) -> None:
    script = [Fault(1, 0, 0, "seed ignored")]
    with pool(script) as faulty:
        faulty.step(None)
        faulty.step(np.zeros((COUNT, 1), np.int32))
        state = faulty.state()
    with pool(script, workers=workers) as faulty:
        messages = faulty.restore(state)
        assert faulty.last is not None
        assert faulty.last.truncated.tolist() == [False, True, False]
        following = faulty.step(np.zeros((COUNT, 1), np.int32))
    assert len(messages) == 1
    assert "environment 1: replaying its episode led elsewhere" in messages[0]
    assert following.is_first.tolist() == [False, True, False]


@pytest.mark.parametrize("kind", ["_exit", "hang", "raise"])
def test_a_fault_on_the_way_back_costs_that_episode_alone(kind: str, caplog: Any) -> None:
    with pool([]) as faulty:
        faulty.step(None)
        for _ in range(3):
            faulty.step(np.zeros((COUNT, 1), np.int32))
        state = faulty.state()
    with caplog.at_level(logging.WARNING), pool([Fault(0, 0, 2, kind)], workers=COUNT) as faulty:
        assert len(faulty.restore(state)) == 1
        following = faulty.step(np.zeros((COUNT, 1), np.int32))
    assert following.is_first.tolist() == [True, False, False]
    assert following.observation["place"][:, 1].tolist() == [0, 4, 4]


@pytest.mark.parametrize("space", SPACES)
def test_odd_spaces_and_episodes_of_one_step(space: str) -> None:
    with Pool(partial(Odd, space, 1), count=2) as odd:
        replay, rows = collected(odd, 20, capacity=100)
        assert [row.is_first.tolist() for row in rows] == [[True, True], [False, False]] * 10
        assert_fit_to_learn_from(replay, draws=10)


def test_odd_spaces_are_the_same_in_workers_and_an_episode_may_never_end() -> None:
    def rows(workers: int) -> list[Step]:
        with Pool(partial(Odd, "all", 0), count=2, workers=workers) as odd:
            return collected(odd, 20, capacity=100)[1]

    here, there = rows(0), rows(2)
    np.testing.assert_equal(there, here)
    assert [row.is_first.any() for row in here] == [True] + [False] * 19


class NeverBegins(FaultyEnv):
    """Hangs in every reset."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        time.sleep(600)


def test_an_environment_that_never_begins_ends_the_run() -> None:
    """However long its deadline: 600 s would hold three of the default ones, and the breaker asks for six failures."""
    environment = partial(NeverBegins, ())
    with Pool(environment, count=1, workers=1, step_deadline=1.0, reset_deadline=6.0) as never:
        with pytest.raises(UserError, match="gave no answer within its deadline") as caught:
            never.step(None)
        assert caught.value.code == 70
        assert never.failures == pool_module.FRUITLESS == 3


def test_an_episode_may_last_as_long_as_the_run() -> None:
    """Actions are kept for its resumption, in their own few bytes."""
    with pool([], count=1) as endless:
        actions = pool_module.Actions(endless.spaces.action)
        tracemalloc.start()
        for step in range(100_000):
            actions.append(np.array([step % 3], np.int32))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 1.5 * MEGABYTE
    assert actions.all[:, 0].tolist() == [step % 3 for step in range(100_000)]
