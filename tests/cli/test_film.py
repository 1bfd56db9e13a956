"""`reverie film`: says which pictures there are, and which there are not."""

from pathlib import Path

import pytest

from reverie.cli.main import main


def test_every_file_is_named(trained: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["film", str(trained)]) == 0
    said = capsys.readouterr().out.split("\n")
    files = [line for line in said if line.endswith((".png", ".webp", ".mp4"))]
    assert files
    assert all(Path(file).is_file() for file in files)


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "which run?"), (["gone"], "No run 'gone'"), (["gone", "--temperatures", "0"], "numbers above 0")],
)
def test_what_cannot_be_filmed(words: list[str], message: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["film", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
