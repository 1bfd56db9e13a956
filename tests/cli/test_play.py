"""`reverie play` is the studio, opened on one run (`test_studio`); its help says so."""

import pytest

from reverie.cli.main import main


def test_the_help_names_what_comes_along(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["play", "--help"])
    assert "reverie play weights/doom" in capsys.readouterr().out
