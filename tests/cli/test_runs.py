"""`reverie runs`: what there is."""

import json
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
