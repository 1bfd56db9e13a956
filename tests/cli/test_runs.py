"""`reverie runs`: what there is."""

import json
import re
from pathlib import Path

import pytest

from reverie.cli.main import main


def test_runs_are_listed(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["runs", str(trained.parent), "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["run"], run["method"], run["environment"]) == (str(trained), "dreamer3", "CartPole-v1")
    assert run["steps"] > 0
    assert run["score"] > 0
    assert main(["runs", str(trained.parent)]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["run", "method", "environment"]
    assert "CartPole-v1" in line


def test_no_runs_say_how_to_begin_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert "reverie train dreamer3" in capsys.readouterr().out
    assert main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_the_number_of_a_run(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["runs", "hash", str(trained)]) == 0
    assert re.fullmatch(r"[0-9a-f]{64}\n", capsys.readouterr().out)


def test_what_failed_is_computed_again(here: Path, micro: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A step size without measure: the first update makes the parameters huge, every later one is skipped."""
    line = ["train", "dreamer3", "CartPole-v1", "--steps", "200", "--run", "run", *micro]
    wild = ["--config.learning-rate", "1e30", "--config.warmup", "0"]
    assert main([*line, *wild]) == 70
    told = capsys.readouterr().err
    assert "not finite" in told
    (failed,) = (here / "run" / "failures").iterdir()
    assert f"reverie runs replay {failed}" in " ".join(told.split())
    assert main(["runs", "replay", str(failed), "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert metrics["loss"] in ("inf", "nan")
    assert main(["runs", "replay", str(failed)]) == 0
    assert metrics["loss"] in capsys.readouterr().out
    assert main(["runs", "replay", "run"]) == 2
