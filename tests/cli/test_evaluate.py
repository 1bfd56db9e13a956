"""`reverie eval`: a score for people and for machines, noted in the run."""

import json
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.run.run import EVERY, Run


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


def test_as_it_was_at_a_step(
    here: Path, micro: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Noted with its own step, so that the run's score stays that of its end."""
    monkeypatch.setitem(EVERY, "snapshot", 20)
    assert main(["train", "dreamer3", "CartPole-v1", "--steps", "80", "--run", "run", *micro]) == 0
    assert main(["eval", "run", "--episodes", "3"]) == 0
    capsys.readouterr()
    assert main(["eval", "run", "--episodes", "2", "--at", "30"]) == 0
    assert "run at step 20: " in capsys.readouterr().out
    noted = [(entry["step"], entry["evaluation/n"]) for entry in Run.open("run").metrics() if "evaluation/n" in entry]
    assert noted == [(20, 2), (80, 3)]


def test_no_episodes_are_no_evaluation(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(trained), "--episodes", "0"]) == 2
    assert "at least one episode" in capsys.readouterr().err


def test_a_world_of_ones_own_is_said_again(
    here: Path, micro: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file of a run chooses what is imported; the line that training ends with is the one that works."""
    (here / "own_worlds.py").write_text("import gymnasium\n\ndef pole():\n    return gymnasium.make('CartPole-v1')\n")
    monkeypatch.syspath_prepend(str(here))
    assert main(["train", "dreamer3", "own_worlds:pole", "--steps", "20", "--run", "run", *micro]) == 0
    assert "next: reverie eval run --environment own_worlds:pole" in capsys.readouterr().out
    assert main(["eval", "run", "--episodes", "1"]) == 2
    assert "--environment own_worlds:pole" in " ".join(capsys.readouterr().err.split())
    assert main(["eval", "run", "--episodes", "1", "--environment", "own_worlds:pole"]) == 0
    assert main(["resume", "run", "--steps", "30", "--environment", "CartPole-v1"]) == 2
    assert "is a run in own_worlds:pole" in " ".join(capsys.readouterr().err.split())
    assert main(["resume", "run", "--steps", "30", "--environment", "own_worlds:pole"]) == 0
