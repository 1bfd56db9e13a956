"""SIGTERM and SIGINT: the first saves and stops within ten seconds, the second stops at once; nothing is lost."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reliability.commands import METHODS, Method, completed, finish, line, running
from reverie.run import lock

CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_stopped_and_resumed_it_ends_as_if_unbroken(method: Method, tmp_path: Path) -> None:
    run, words = tmp_path / "run", line(method, tmp_path / "run", steps=method.long)
    for number, code in CODES.items():
        logged = run / "metrics.jsonl"
        before = logged.stat().st_size if logged.exists() else 0
        with running(words) as process:
            _wait_for(lambda: logged.exists() and logged.stat().st_size > before)  # noqa: B023
            process.send_signal(number)
            outcome = finish(process)
        assert outcome.code == code, outcome.said
        assert outcome.seconds < 10
        assert "again" in outcome.said or "resume" in outcome.said
        assert any((run / "checkpoints").iterdir())
    other = tmp_path / "unbroken"
    assert completed(words, run) == completed(line(method, other, steps=method.long), other)


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_before_anything_is_compiled(number: signal.Signals, tmp_path: Path) -> None:
    """A signal during start-up and compilation: the same codes, in time."""
    run = tmp_path / "run"
    with running(line(METHODS[0], run, steps=METHODS[0].long)) as process:
        _wait_for(lambda: lock.is_held(run))
        time.sleep(0.1)  # it was held for an instant, to write the manifest
        _wait_for(lambda: lock.is_held(run))
        process.send_signal(number)
        outcome = finish(process)
    assert outcome.code == CODES[number], outcome.said
    assert outcome.seconds < 10


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with running(line(METHODS[0], tmp_path / "run", steps=METHODS[0].long)) as process:
        _wait_for((tmp_path / "run" / "metrics.jsonl").exists)
        process.send_signal(signal.SIGSTOP)  # so that both signals are there when it goes on
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        outcome = finish(process)
    assert outcome.code in CODES.values(), outcome.said
    assert outcome.seconds < 5


def _wait_for(event: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not event():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("method", [method for method in METHODS if method.laden], ids=lambda method: method.name)
def test_stopped_between_the_updates_of_one_row(method: Method, tmp_path: Path) -> None:
    """One row of these owes thousands of updates, for longer than anybody waits."""
    many, steps = (*method.laden, "--save-every=0.3"), 24
    run = tmp_path / "run"
    with running(line(method, run, *many, steps=steps)) as process:
        _wait_for(lambda: any((run / "checkpoints").glob("0*")))
        process.send_signal(signal.SIGTERM)
        outcome = finish(process)
    assert (outcome.code, outcome.seconds < 10) == (143, True), outcome.said
    assert "again" in outcome.said or "resume" in outcome.said
    assert "without saving" not in outcome.said
    other = tmp_path / "unbroken"
    hashes = [completed(line(method, folder, *many, steps=steps), folder) for folder in (run, other)]
    assert hashes[0] == hashes[1]
