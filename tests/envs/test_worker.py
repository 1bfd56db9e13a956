import re
import sys
import threading
import time

from envs.worlds import FIRST_SEED, Counter, HangsOnce, SlowStep, SlowToMake

from reverie.envs.config import EnvironmentConfig
from reverie.envs.rows import Command, Rows
from reverie.envs.worker import Worker


def hired(world: type[Counter] = Counter, lines: tuple[int, ...] = (0,), deadline: float = 30.0) -> Worker:
    return Worker(world, EnvironmentConfig(), lines, step_deadline=deadline, reset_deadline=30.0)


def test_a_worker_obeys_through_shared_memory() -> None:
    worker = hired(lines=(1, 2))
    rows = Rows(worker.facts().spaces, 4)
    worker.join(rows)
    rows.command[:], rows.seed[:] = Command.RESET, [1, 2, 3, 4]
    worker.go()
    assert worker.done() == {}
    assert rows.read().observation["observation"][:, 0].tolist() == [0, 2, 3, 0]
    worker.leave()
    worker.close()


def test_a_killed_worker_is_noticed_at_once_and_the_new_one_works() -> None:
    worker = hired()
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    worker._process.kill()
    rows.command[:], rows.seed[:] = Command.RESET, 6
    worker.go()
    failures = worker.done()
    assert "died (exit code -9)" in failures[0]
    worker.go()
    assert worker.done() == {}
    assert rows.read().observation["observation"][0, 0] == 6
    worker.leave()
    worker.close()


def test_the_new_worker_of_a_dead_one_is_not_waited_for() -> None:
    worker = hired(SlowToMake)
    worker.join(Rows(worker.facts().spaces, 1))
    worker._process.kill()
    worker._process.join()
    worker.go()
    began = time.monotonic()
    assert list(worker.done()) == [0]
    assert time.monotonic() - began < SlowToMake.seconds
    worker.kill()


def test_what_was_late_once_is_not_waited_for_again() -> None:
    """The first line is over its deadline and then done; the second has a deadline of its own, which is not over."""
    worker = hired(SlowStep, (0, 1), deadline=0.7)
    rows = Rows(worker.facts().spaces, 2)
    worker.join(rows)
    rows.command[:], rows.seed[:] = Command.RESET, [2, 3]
    worker.go()
    assert worker.done() == {}
    rows.command[:] = Command.STEP
    worker.go()
    while not worker.ready(0.01):
        pass
    time.sleep(0.5)
    assert list(worker.done()) == [0, 1]
    worker.kill()


def test_what_hangs_says_where_it_was() -> None:
    worker = hired(HangsOnce, deadline=0.3)
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    rows.seed[:] = FIRST_SEED
    failures = {}
    for command in (Command.RESET, Command.STEP, Command.STEP):
        rows.command[:] = command
        worker.go()
        failures = worker.done()
    assert re.search(r"(?s)deadline \(0.3 s a step, 30 s a reset\).*worlds.py.* in trouble", failures[0])
    worker.kill()


def test_a_busy_worker_is_not_waited_for() -> None:
    worker = hired(HangsOnce)
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    rows.command[:], rows.seed[:] = Command.RESET, FIRST_SEED
    worker.go()
    began = time.monotonic()
    worker.leave()
    worker.close()
    assert time.monotonic() - began < 1
    assert not worker._process.is_alive()


def test_killing_a_busy_worker_does_not_wait_for_it() -> None:
    worker = hired(HangsOnce)
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    rows.seed[:] = FIRST_SEED
    for command in (Command.RESET, Command.STEP):
        rows.command[:] = command
        worker.go()
        worker.done()
    worker.go()
    worker.kill()
    assert not worker._process.is_alive()


def test_a_worker_may_be_started_by_a_thread_that_ends() -> None:
    started: list[Worker] = []
    thread = threading.Thread(target=lambda: started.append(hired()))
    thread.start()
    thread.join()
    (worker,) = started
    rows = Rows(worker.facts().spaces, 1)
    worker.join(rows)
    time.sleep(0.05)
    rows.command[:] = Command.RESET
    worker.go()
    assert worker.done() == {}
    worker.leave()
    worker.close()


def test_no_jax_in_a_worker() -> None:
    worker = Worker("envs.worlds:Modules", EnvironmentConfig(), (0,), step_deadline=30.0, reset_deadline=30.0)
    assert worker.facts().spaces.action.classes == (2,)
    worker.leave()
    worker.close()
    assert "jax" in sys.modules  # here it is loaded, and there it was not
