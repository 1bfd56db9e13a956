"""What the verbs share."""

import json
import re
from dataclasses import dataclass

import pytest

from reverie.cli.arguments import choose, parse, parse_seeds, print_json, table
from reverie.errors import UserError


@dataclass(frozen=True)
class Options:
    """Do something."""

    steps: int = 3
    """How many."""
    json: bool = False
    """For machines."""


def test_words_become_a_dataclass() -> None:
    assert parse(Options, ["--steps", "5", "--json"], verb="x") == Options(5, True)
    assert parse(Options, [], verb="x", default=Options(7)) == Options(7)


@pytest.mark.parametrize(
    ("words", "message"), [(["--stesp", "5"], "--steps"), (["--steps", "many"], "invalid literal")]
)
def test_a_wrong_option_is_explained(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse(Options, words, verb="x")
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "seeds"), [(("0",), (0,)), (("2", "0-2"), (2, 0, 1)), (("0,3-5",), (0, 3, 4, 5)), (("7", "7"), (7,))]
)
def test_seeds(words: tuple[str, ...], seeds: tuple[int, ...]) -> None:
    assert parse_seeds(words) == seeds


@pytest.mark.parametrize("words", [("a",), ("-1",), ("5-3",), ("1,,2",)])
def test_what_is_no_seed(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="--seeds"):
        parse_seeds(words)


def test_table_aligns_numbers_right_and_words_left() -> None:
    rows = [{"name": "a", "steps": 12000, "score": None}, {"name": "longer", "steps": 5, "score": 0.12345}]
    assert table(rows) == "name     steps   score\na       12,000       -\nlonger       5  0.1235"
    assert table([]) == ""


def test_a_verb_of_a_verb_is_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = {"list": lambda words: len(words), "verify": lambda words: 10 + len(words)}
    asked = {(): 0, ("--json",): 1, ("list", "a"): 1, ("verify", "a", "--json"): 12, ("--help",): 0}
    for words, code in asked.items():
        assert choose(list(words), verbs, of="data", usage="how to") == code
    assert capsys.readouterr().out == "how to\n"
    for word, hint in {"verfy": "Did you mean `reverie data verify`?", "x": "The verbs are list, verify."}.items():
        with pytest.raises(UserError, match=re.escape(f"`reverie data {word}` is not known. {hint}")):
            choose([word], verbs, of="data", usage="")


def test_json_alone_on_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1]})
    assert json.loads(capsys.readouterr().out) == {"a": [1]}
    with pytest.raises(ValueError, match="JSON compliant"):
        print_json(float("nan"))
