"""`reverie plan`: every action planned in the model of a run, for people and for machines, or a clear refusal."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import reverie
from reverie.api import Agent, load
from reverie.cli.main import main
from reverie.errors import UserError

FEW = ["--horizon", "2", "--candidates", "4", "--episodes", "2"]


def test_json_has_costs_and_every_return(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["plan", str(trained), "--planner", "mppi", "--iterations", "2", "--json", *FEW]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["planner"], found["candidates"], found["model_calls"]) == ("mppi", 4, 2 * 2 * 4)
    assert found["episodes"] == len(found["returns"]) == 2
    assert found["mean"] == pytest.approx(sum(found["returns"]) / 2)
    assert found["returns"] == [float(length) for length in found["lengths"]]
    assert found["milliseconds"] > 0


def test_lines_for_people_the_same_every_time(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    line = ["plan", str(trained), "--planner", "shooting", "--value", "--proposals", "2", *FEW]
    assert main(line) == 0
    out = capsys.readouterr().out
    for words in ("planned by shooting", "over 2 episodes", "95 % confidence interval of the mean"):
        assert words in out
    assert "16 steps are imagined" in out, "two of each of four plans and of two proposals, and the proposals' own"
    assert main(line) == 0
    assert capsys.readouterr().out.splitlines()[:2] == out.splitlines()[:2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which run?"),
        (["nowhere"], "nowhere"),
        (["RUN", "--planner", "cm"], "there is no planner 'cm'; there are shooting, cem"),
        (["RUN", "--episodes", "0"], "at least one episode"),
        (["RUN", "--candidates", "4", "--elites", "9"], "CEMConfig.elites must be from 1 to 4, got 9"),
        (["RUN", "--candidates", "0"], "CEMConfig.candidates must be at least 1, got 0"),
        (["RUN", "--horizon", "0"], "PlanningConfig.horizon must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_said(words: list[str], said: str, trained: Path, capsys, here: Path) -> None:
    capsys.readouterr()
    assert main(["plan", *[str(trained) if word == "RUN" else word for word in words]]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_the_help_has_the_numbers_of_the_planner(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "--planner=icem", "--candidates=50", "--help"])
    shown = capsys.readouterr().out
    assert "--colour" in shown
    assert "default: 50" in shown
    assert "--temperature" not in shown


def test_from_python_it_is_an_agent(trained: Path) -> None:
    agent = load(trained)
    planner = agent.planning("cem", horizon=2, candidates=4, iterations=1)
    assert isinstance(planner, Agent)
    assert planner.act([0.0, 0.0, 0.0, 0.0]) in (0, 1)
    assert planner.evaluate(1).n == 1
    assert agent.trained.policy is not planner.trained.policy
    with pytest.raises(UserError, match="cem has no 'temperature'; there are horizon"):
        agent.planning("cem", temperature=1.0)
    without = {name: head for name, head in agent.trained.heads.items() if name != "reward"}
    agent.trained = replace(agent.trained, heads=without)
    with pytest.raises(reverie.UserError, match=r"no head for reward; it has decode, .*--config.rewards"):
        agent.planning("cem")
