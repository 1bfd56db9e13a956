"""`reverie bench planners`: all planners side by side, as a table, as a picture, as JSON."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from reverie.behaviours.planner_config import CONFIGS
from reverie.cli.main import main

FEW = ["--horizon", "2", "--episodes", "1"]


@pytest.fixture
def run(trained: Path, here: Path) -> str:
    """A copy, for it gets a picture."""
    shutil.copytree(trained, here / "runs" / "copied")
    return "copied"


def test_a_table_and_a_picture(run: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    capsys.readouterr()
    assert main(["bench", "planners", run, "--planners", "shooting", "icem", "--candidates", "4", "6", *FEW]) == 0
    out, progress = capsys.readouterr()
    title, _, head, *rows, _, drawn = out.splitlines()
    assert title == "runs/copied: 1 episodes, horizon 2"
    assert head.split() == ["planner", "candidates", "return", "95", "%", "interval", "model", "calls", "milliseconds"]
    assert [row.split()[:2] for row in rows] == [
        ["policy", "-"], ["shooting", "4"], ["shooting", "6"], ["icem", "4"], ["icem", "6"],
    ]  # fmt: skip
    assert [row.split()[-2] for row in rows] == ["-", "8", "12", "24", "36"]
    assert drawn == "runs/copied/media/planners.png"
    assert (here / drawn).read_bytes().startswith(b"\x89PNG")
    assert progress.splitlines()[1].startswith("2 of 5: shooting of 4 candidates: ")


def test_without_the_extra_the_table_alone(
    run: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    missing = lambda name, *rest: None if name == "matplotlib" else find(name, *rest)
    monkeypatch.setattr(importlib.util, "find_spec", missing)
    capsys.readouterr()
    assert main(["bench", "planners", run, "--planners", "shooting", "--candidates", "4", *FEW]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last == 'not drawn: Plots need matplotlib: pip install ".[plots]"'
    assert not (here / "runs" / "copied" / "media").exists()


def test_json_has_every_planner_in_the_same_episodes(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["bench", "planners", str(trained), "--candidates", "4", "--json", *FEW]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["planner"] for row in rows] == ["policy", *CONFIGS]
    assert all(len(row["returns"]) == 1 and row["milliseconds"] > 0 for row in rows)
    capsys.readouterr()
    assert main(["eval", str(trained), "--episodes", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["returns"] == rows[0]["returns"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["planners"], "which run?"),
        (["planners", "RUN", "--planners", "cem", "cm"], "there is no planner 'cm'"),
        (["planners", "RUN", "--candidates", "0"], "candidates must be at least 1, got 0"),
        (["planners", "RUN", "--episodes", "0"], "at least one episode"),
        (["speed"], "`reverie bench speed` is not known. The verbs are planners."),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, trained: Path, capsys) -> None:
    capsys.readouterr()
    assert main(["bench", *[str(trained) if word == "RUN" else word for word in words]]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--help"]) == 0
    assert "reverie bench planners RUN" in capsys.readouterr().out
