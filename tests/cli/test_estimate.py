"""`reverie estimate`: the paper's numbers of parameters, from shapes alone."""

import json

import pytest

from reverie.cli.estimate import parse_action, parse_observation
from reverie.cli.main import main
from reverie.errors import UserError
from reverie.types import ArraySpec


def estimate(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["estimate", "dreamer3", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("size", "total"), [("1m", 687_875), ("12m", 10_498_259), ("200m", 165_965_075)])
def test_the_totals_are_the_papers(size: str, total: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = estimate(capsys, "--observation", "64x64x3", "--actions", "17", "--size", size)
    parts = found["parameters"]
    assert parts.pop("total") == total == sum(parts.values())
    assert {"encoder", "dynamics", "decoder", "reward", "continue", "actor", "critic"} == parts.keys()
    assert found["memory"] == {"weights_bytes": 4 * total, "learner_bytes": 16 * total}


def test_an_environment_stands_for_its_spaces(capsys: pytest.CaptureFixture[str]) -> None:
    named = estimate(capsys, "--env", "CartPole-v1")
    assert named["parameters"] == estimate(capsys, "--observation", "4", "--actions", "2")["parameters"]


def test_people_get_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "dreamer3", "--observation", "24", "--actions", "6c", "--size", "12m"]) == 0
    shown = capsys.readouterr().out
    assert "vector 24; action 6 numbers" in shown
    assert "with gradients and optimiser" in shown


def test_what_a_world_shows() -> None:
    assert parse_observation(("64x48x3",)) == {"observation": ArraySpec("image", (64, 48, 3))}
    assert parse_observation(("9x9", "24")) == {"0": ArraySpec("image", (9, 9, 1)), "1": ArraySpec("vector", (24,))}
    with pytest.raises(UserError, match="Write 64x64x3"):
        parse_observation(("0x3",))


def test_what_can_be_done() -> None:
    assert parse_action("17") == ArraySpec("discrete", (1,), (17,))
    assert parse_action("5,3") == ArraySpec("discrete", (2,), (5, 3))
    assert parse_action("6c") == ArraySpec("continuous", (6,))
    with pytest.raises(UserError, match="Write 17 for choices"):
        parse_action("0")
