"""`reverie envs`: which worlds there are, and whether one keeps the rules."""

import json

import pytest

from reverie.cli.main import main


def test_suites_say_whether_they_are_installed_or_what_brings_them(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["envs"], ["envs", "list"]):
        assert main(words) == 0
        assert "CartPole-v1" in capsys.readouterr().out
    assert main(["envs", "list", "--json"]) == 0
    suites = {suite["suite"]: suite for suite in json.loads(capsys.readouterr().out)}
    assert suites["classic control"]["installed"] is True
    assert all(suite["install"] for suite in suites.values() if not suite["installed"])


def test_a_world_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", "check", "CartPole-v1", "--environment.time-limit", "7", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["environment"] == "CartPole-v1"
    assert report["episodes"]["longest"] <= 7
    assert report["same seed, same episode"] is True
    assert main(["envs", "check", "CartPole-v1"]) == 0
    assert "same seed, same episode     yes" in capsys.readouterr().out


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs", "--help"]) == 0
    assert "envs check my_package.worlds:Maze" in capsys.readouterr().out
