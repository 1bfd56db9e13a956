"""The mistakes that people make: each one message with its remedy, a documented exit code, and no traceback."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.run.run import Run

TRAIN = ["train", "dreamer3"]

MISTAKES = {
    "no verb of that name": (["tarin"], 2, "Did you mean `train`?"),
    "no method": (["train"], 2, "reverie train dreamer3 CartPole-v1"),
    "no method of that name": (
        ["train", "dreamr3", "CartPole-v1"],
        2,
        "Did you mean dreamer3 or dreamer2 or dreamer1?",
    ),
    "no environment": (TRAIN, 2, "reverie train dreamer3 CartPole-v1"),
    "an environment misspelt": ([*TRAIN, "CartPol-v1"], 2, "CartPole-v1"),
    "an environment of a version that is gone": ([*TRAIN, "CartPole-v9"], 2, "CartPole-v1"),
    "a module that is not there": ([*TRAIN, "nowhere.to.be:Found"], 2, "no module 'nowhere.to.be'"),
    "a class that is not there": ([*TRAIN, "gymnasium:Nothing"], 2, "no class or function 'Nothing'"),
    "a class that is no environment": ([*TRAIN, "collections:Counter"], 2, "Needed: a gymnasium.Env"),
    "no size of that name": ([*TRAIN, "CartPole-v1", "--size", "13m"], 2, "1m or 12m or 100m"),
    "a size forgotten": ([*TRAIN, "CartPole-v1", "--size"], 2, "There are nano, tiny, 1m"),
    "an option misspelt": ([*TRAIN, "CartPole-v1", "--stpes", "9"], 2, "--steps"),
    "a setting misspelt": ([*TRAIN, "CartPole-v1", "--config.horizn", "9"], 2, "--config.horizon"),
    "words for a number": ([*TRAIN, "CartPole-v1", "--steps", "many"], 2, "invalid literal"),
    "an impossible setting": ([*TRAIN, "CartPole-v1", "--config.length", "1"], 2, "length must be at least 2"),
    "an impossible picture": ([*TRAIN, "CartPole-v1", "--environment.size", "-1"], 2, "size must be 0 or more"),
    "an impossible seed": ([*TRAIN, "CartPole-v1", "--seed", "-1"], 2, "a whole number from 0"),
    "steps below nothing": ([*TRAIN, "CartPole-v1", "--steps", "-5"], 2, "give --steps 1 or more"),
    "a time that is none": ([*TRAIN, "CartPole-v1", "--budget", "soon"], 2, "10m"),
    "a run that is not there to resume": (["resume", "runs/none"], 2, "No run 'runs/none'"),
    "a run that is not there to evaluate": (["eval", "none"], 2, "No run 'none'"),
    "no run to resume": (["resume"], 2, "`reverie runs` lists them"),
    "no run to evaluate": (["eval"], 2, "`reverie runs` lists them"),
    "seeds that are none": (["eval", "none", "--seeds", "x"], 2, "a range, `0-4`"),
    "a verb of envs misspelt": (["envs", "chekc", "CartPole-v1"], 2, "reverie envs check"),
    "nothing to check": (["envs", "check"], 2, "reverie envs check CartPole-v1"),
    "an environment misspelt to check": (["envs", "check", "Pendulm-v1"], 2, "Pendulum-v1"),
    "an estimate of nothing": (["estimate", "dreamer3"], 2, "--observation 64x64x3 --actions 17"),
    "an observation that is none": (["estimate", "dreamer3", "--observation", "big", "--actions", "2"], 2, "64x64x3"),
    "actions that are none": (["estimate", "dreamer3", "--observation", "4", "--actions", "two"], 2, "6c for numbers"),
    "an estimate of an unknown method": (["estimate", "x", "--env", "CartPole-v1"], 2, "no method 'x'"),
    "a row that is not there": (["verify", "none"], 2, "There are no rows in results"),
    "no row": (["verify"], 2, "reverie verify cartpole"),
    "runs without a record": (["verify", "a", "--runs", "b"], 2, "add --record"),
    "a record without a goal": (["verify", "a", "--record", "--runs", "b"], 2, "--goal 475"),
    "a measure that is none": (
        ["verify", "a", "--record", "--runs", "b", "--goal", "1", "--measure", "best"],
        2,
        "low",
    ),
    "an environment that is not installed": ([*TRAIN, "ALE/Breakout-v5"], 78, 'pip install ".[atari]"'),
}


@pytest.fixture(autouse=True)
def without_atari(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it is installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ale_py" else find(name))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained(mistake: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, code, remedy = MISTAKES[mistake]
    try:
        found = main(words)
    except SystemExit as stop:  # options are read by tyro, which ends the process itself
        found = stop.code
    shown = capsys.readouterr()
    assert found == code, shown.err
    assert remedy in " ".join(shown.err.replace("│", " ").split())
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_mistake_leaves_nothing_behind(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "CartPol-v1"]) == 2
    assert main([*TRAIN, "CartPole-v1", "--seed", "-1"]) == 2
    assert list(here.iterdir()) == []


def test_a_folder_in_use_is_refused(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Run.open(trained):
        assert main(["resume", str(trained)]) == 75
    assert "is in use by pid" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["resume", "RUN"], ["train", "dreamer3", "CartPole-v1", "--run", "RUN"]])
def test_a_folder_in_use_is_refused_before_anything_is_made_ready(trained: Path, words: list[str]) -> None:
    words = [str(trained) if word == "RUN" else word for word in words]
    code = f"import sys; from reverie.cli.main import main; print(main({words!r}), 'jax' in sys.modules)"
    with Run.open(trained):
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert answer.stdout.split() == ["75", "False"]
    assert f"is in use by pid {os.getpid()}" in answer.stderr
