"""`reverie resume`: the newest checkpoint, the old settings, perhaps a later end."""

import shutil
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.run.run import Run


def test_a_finished_run_goes_on_where_it_is_told_to(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "a place with spaces"
    shutil.copytree(trained, moved)
    before = len(Run.open(moved).metrics())
    assert main(["resume", str(moved)]) == 0
    assert f"run: {moved}" in capsys.readouterr().out
    assert main(["resume", str(moved), "--steps", "160"]) == 0
    rows = Run.open(moved).metrics()
    assert len(rows) > before
    assert Run.open(moved).manifest["steps"] == 160
    assert f"reverie eval '{moved}'" in capsys.readouterr().out
    assert main(["resume", str(moved), "--steps", "100"]) == 2
    assert "goes to 160 steps already" in capsys.readouterr().err
