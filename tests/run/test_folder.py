"""Whose a folder is."""

from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run.folder import family, is_begun, latest, refuse_foreign, set_aside
from reverie.run.run import Run


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


def test_a_run_is_found_again_among_its_numbered_siblings(tmp_path: Path) -> None:
    about = {"method": "m", "environment": "e", "seed": 0, "steps": 10, "config": {"a": 1}}
    first, second, third = (path for path, _ in zip(family(tmp_path / "run"), range(3), strict=False))
    assert [path.name for path in (first, second, third)] == ["run", "run-2", "run-3"]
    assert latest(first, about, {}) == first
    Run.create(first, about)
    Run.create(second, about | {"config": {"a": 2}})
    assert latest(first, about | {"steps": 20}, {}) == first
    assert latest(first, about | {"config": {"a": 2}}, {}) == second
    assert latest(first, about | {"config": {"a": 3}}, {}) == second, "the newest, which then says what differs"


def test_one_is_set_aside_under_a_name_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        (tmp_path / "run").mkdir()
        set_aside(tmp_path / "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-old", "run-old-2"]
    monkeypatch.chdir(tmp_path / "run-old")
    with pytest.raises(UserError, match="from within"):
        set_aside(tmp_path / "run-old")
