"""`reverie train`: one line begins, resumes and continues; `--new` starts beside."""

import json
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.cli.train import method_in, value_in
from reverie.errors import UserError
from reverie.run.run import Run

LINE = ["train", "dreamer3", "CartPole-v1"]


def test_the_run_folder_is_named_first_and_holds_what_was_asked(
    here: Path, micro: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINE, "--steps", "40", "--seed", "3", "--environment.time-limit", "9", *micro]) == 0
    lines = capsys.readouterr().out.splitlines()
    folder = Path("runs/dreamer3-CartPole-v1-nano-seed3")
    assert lines[0] == f"run: {folder}"
    assert f"reverie eval {folder}" in lines[-1]
    manifest = Run.open(folder).manifest
    assert (manifest["method"], manifest["environment"], manifest["seed"]) == ("dreamer3", "CartPole-v1", 3)
    assert manifest["config"]["rssm"]["deter"] == 16
    assert manifest["environment_config"]["time_limit"] == 9
    assert max(row["episode/length"] for row in Run.open(folder).metrics() if "episode/length" in row) <= 9


def test_the_same_line_resumes_more_steps_continue_and_new_starts_beside(
    here: Path, micro: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    def steps_after(*options: str) -> tuple[str, int]:
        assert main([*LINE, "--json", *options, *micro]) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [events[0]["event"], events[-1]["event"]] == ["run", "finished"]
        return Path(events[0]["run"]).name, events[-1]["steps"]

    name = "dreamer3-CartPole-v1-nano-seed0"
    first, steps = steps_after("--steps", "40")
    assert (first, steps >= 40) == (name, True)
    assert steps_after("--steps", "40") == (name, steps)
    assert steps_after() == (name, steps)
    assert steps_after("--steps", "80")[1] >= 80
    assert steps_after("--steps", "40", "--new")[0] == f"{name}-2"
    assert steps_after("--steps", "40")[0] == f"{name}-2"
    assert main([*LINE, "--steps", "40", *micro, "--config.horizon", "3"]) == 2
    assert "config.horizon: 2 there, 3 asked" in capsys.readouterr().err


def test_help_shows_the_settings_of_the_size(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*LINE, "--size", "12m", "--help"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0
    assert "--config.rssm.deter" in shown
    assert "2048" in shown
    assert "--environment.pixels" in shown


def test_method_and_size_are_found_wherever_they_stand() -> None:
    assert method_in(["--size", "tiny", "dreamer3", "CartPole-v1"], ["dreamer3", "planet"]) == "dreamer3"
    assert value_in(["dreamer3", "--size", "1m"], "--size") == "1m"
    assert value_in(["--size=12m", "dreamer3"], "--size") == "12m"
    assert value_in(["dreamer3", "--size"], "--size", "nano") == ""
    assert value_in(["dreamer3"], "--size", "nano") == value_in([], "--size", "nano") == "nano"
    with pytest.raises(UserError, match="Did you mean dreamer3"):
        method_in(["dreamr3", "CartPole-v1"], ["dreamer3", "planet"])
    with pytest.raises(UserError, match="which method"):
        method_in(["--steps", "3"], ["dreamer3"])


WORLD = """
import gymnasium, numpy

class Corridor(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (4,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return numpy.zeros(4, numpy.float32), {}

    def step(self, action):
        self.place += int(action)
        return numpy.full(4, self.place / 3, numpy.float32), float(action), self.place == 3, False, {}
"""


def test_a_class_of_ones_own_works_by_its_name(here: Path, micro: list[str]) -> None:
    (here / "corridors.py").write_text(WORLD)
    assert main(["train", "dreamer3", "corridors:Corridor", "--steps", "40", *micro]) == 0
    run = Run.open("runs/dreamer3-corridors-Corridor-nano-seed0")
    assert {row["episode/return"] for row in run.metrics() if "episode/return" in row} == {3.0}
