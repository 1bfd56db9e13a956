"""`reverie eval`: a score for people and for machines, noted in the run."""

import json
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.run.run import Run


def test_json_has_every_return(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["eval", str(trained), "--episodes", "2", "--seeds", "0-1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["episodes"] == len(result["returns"]) == len(result["lengths"]) == 4
    assert result["mean"] == pytest.approx(sum(result["returns"]) / 4)
    assert {"std", "confidence", "run"} <= result.keys()
    assert result["returns"] == [float(length) for length in result["lengths"]]  # one point for each step of CartPole
    assert Run.open(trained).metrics()[-1]["evaluation/mean"] == result["mean"]


def test_a_line_for_people(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["eval", str(trained), "--episodes", "2"]) == 0
    assert "over 2 episodes" in capsys.readouterr().out


def test_no_episodes_are_no_evaluation(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(trained), "--episodes", "0"]) == 2
    assert "at least one episode" in capsys.readouterr().err
