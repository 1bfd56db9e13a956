"""`reverie verify`: a claim is recorded from runs, run again, and found true or false."""

import json
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.evaluate import ledger


def test_a_claim_is_recorded_and_run_again(trained: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = ["verify", "mine", "--record", "--runs", str(trained), "--episodes", "2"]
    assert main([*record, "--goal", "5"]) == 0
    assert "the claim holds" in capsys.readouterr().out
    _, claim = ledger.read("mine")
    assert (claim.environment, claim.steps, claim.repeat, claim.met) == ("CartPole-v1", 80, 1, True)
    assert claim.config["rssm.deter"] == 16
    assert claim.seeds[0].curve
    assert claim.seeds[0].wall_clock > 0

    assert main(["verify", "mine", "--episodes", "2", "--json"]) == 0
    events = capsys.readouterr().out
    again = json.loads(events[events.index("{\n") :])
    assert again["met"] is True
    assert tuple(again["seeds"][0]["returns"]) == claim.seeds[0].returns  # the same numbers, trained anew

    assert main([*record, "--goal", "5000"]) == 1
    assert "the claim does NOT hold" in capsys.readouterr().out
    assert main(["verify", "mine", "--episodes", "2"]) == 1


def test_runs_of_different_settings_are_no_claim(
    trained: Path, here: Path, micro: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "dreamer3", "CartPole-v1", "--steps", "20", "--run", "other", *micro]) == 0
    words = ["verify", "mine", "--record", "--goal", "5", "--runs", str(trained), "other"]
    assert main(words) == 2
    assert "is another setting than" in capsys.readouterr().err
    assert not Path("results").exists()
