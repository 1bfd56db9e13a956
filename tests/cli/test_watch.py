"""What a run says: its folder first, its outcome last, and an exit code that names the signal."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from reverie.cli.watch import outcome, watching
from reverie.errors import UserError
from reverie.run.run import Run


def test_the_folder_first_and_the_outcome_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(tmp_path / "run", {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    with watching(run), run:
        assert run.finished(10)
    assert run.progress is None
    assert outcome(run) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run: {run.directory}"
    assert lines[-1] == f"finished at step 10; next: reverie eval {run.directory}"


def test_a_signal_is_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(tmp_path / "run", {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    with watching(run, machine=True), run:
        os.kill(os.getpid(), signal.SIGTERM)
        while not run.stop:
            run.finished(4)
    assert outcome(run, machine=True) == 143
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0] == {"event": "run", "run": str(run.directory)}
    assert (events[-1]["event"], events[-1]["steps"]) == ("interrupted", 4)
    assert outcome(run) == 143
    assert f"reverie resume {run.directory}" in capsys.readouterr().out


@pytest.mark.parametrize("machine", [False, True])
def test_a_run_that_nobody_listens_to_saves_and_stops(machine: bool, tmp_path: Path) -> None:
    """`reverie train ... | head -1`: the code is that of SIGPIPE, and not 0."""
    run = Run.create(tmp_path / "run", {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    reader, writer = os.pipe()

    def train() -> None:
        with watching(run, machine=machine), run:
            os.close(reader)
            while not run.due("checkpoint"):
                run.log(1, **{"episode/return": 1.0})
            assert run.stop == signal.SIGPIPE

    with os.fdopen(writer, "w") as pipe, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        with pytest.raises(UserError, match=r"cannot be printed.*reverie resume") as caught:
            train()
        assert caught.value.code == 141
        assert pipe.closed


def test_errors_of_the_run_are_not_those_of_the_output(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    with pytest.raises(FileNotFoundError), watching(run):
        (tmp_path / "none").read_text()


def test_ctrl_c_that_ends_the_reader_too_is_ctrl_c(tmp_path: Path) -> None:
    """`reverie train ... | tee log`."""
    run = Run.create(tmp_path / "run", {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", pipe)
        with watching(run, machine=True), run:
            os.close(reader)
            os.kill(os.getpid(), signal.SIGINT)
            while run.stop != signal.SIGINT:
                run.log(1, **{"episode/return": 1.0})
                run.finished(1)
        assert outcome(run) == 130
