"""Whose a folder is."""

from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run.folder import is_begun, refuse_foreign, set_aside


def test_one_is_begun_as_soon_as_something_was_measured_or_saved(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert not is_begun(tmp_path)
    for name in ("checkpoints", "metrics.jsonl", "evaluations.jsonl"):
        (tmp_path / name).touch()
        assert is_begun(tmp_path)
        (tmp_path / name).unlink()


def test_what_is_not_a_run_s_own_is_not_mixed_with(tmp_path: Path) -> None:
    for name in ("manifest.json", "lock", "media", "replay", "restarts.jsonl"):
        (tmp_path / name).touch()
    refuse_foreign(tmp_path)
    refuse_foreign(tmp_path / "nowhere")
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"thesis\.tex is there"):
        refuse_foreign(tmp_path)


def test_one_is_set_aside_under_a_name_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        (tmp_path / "run").mkdir()
        set_aside(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-old", "run-old-2"]
    monkeypatch.chdir(tmp_path / "run-old")
    with pytest.raises(UserError, match="from within"):
        set_aside(tmp_path / "run-old")
