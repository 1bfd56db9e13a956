"""`reverie export`: a folder that the other verbs take like a run."""

from pathlib import Path

import pytest

from reverie.cli.main import main


def test_what_was_left_of_a_run_is_evaluated_like_one(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(trained), "weights/small"]) == 0
    assert "weights/small: 0." in capsys.readouterr().out
    assert main(["eval", "weights/small", "--episodes", "1"]) == 0
    assert "over 1 episodes" in capsys.readouterr().out
    assert main(["film", "weights/small"]) == 0
    assert (here / "small" / "media" / "learning_curve.png").exists() is False, "it has no history"
    assert any((here / "small" / "media").iterdir())
    assert not (here / "weights" / "small" / "media").exists()
    assert main(["resume", "weights/small"]) == 2
    assert "cannot go on" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "message"), [([], "which run, and where to"), (["gone", "weights/it"], "No run 'gone'")]
)
def test_what_cannot_be_exported(
    words: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
