"""Runs by name, and one list of them that nothing can break."""

from pathlib import Path

import pytest

from reverie.data import durable
from reverie.errors import UserError
from reverie.run import manifest, runs
from reverie.run.run import Run

ABOUT = {"method": "dreamer3", "environment": "CartPole-v1", "size": "nano", "seed": 0, "config": {}, "steps": 100}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, step in (("cart-a", 100), ("cart-b", 50), ("deeper/pole", 0)):
        with Run.create(tmp_path / name, ABOUT) as run:
            for at in range(10, step + 1, 10):
                run.log(at, **{"episode/return": float(at)})
    (tmp_path / "empty").mkdir()
    return tmp_path


def by_name(folder: Path) -> dict[str, dict[str, object]]:
    return {str(Path(entry["run"]).relative_to(folder)): entry for entry in runs.list_runs(folder)}


def test_the_list(folder: Path) -> None:
    listed = by_name(folder)
    assert sorted(listed) == ["cart-a", "cart-b", "deeper/pole"]
    assert {name: entry["state"] for name, entry in listed.items()} == {
        "cart-a": "finished",
        "cart-b": "stopped",
        "deeper/pole": "new",
    }
    assert listed["cart-b"] | {"created": 0} == {
        "run": str(folder / "cart-b"),
        "method": "dreamer3",
        "environment": "CartPole-v1",
        "size": "nano",
        "seed": 0,
        "steps": 50,
        "score": 30.0,
        "state": "stopped",
        "created": 0,
    }
    assert listed["deeper/pole"]["score"] is None
    assert runs.list_runs(folder / "none") == []


def test_run_folders_are_found_below_a_folder_and_in_it(folder: Path) -> None:
    assert runs.directories(folder) == [folder / name for name in ("cart-a", "cart-b", "deeper/pole")]
    assert runs.directories(folder / "deeper/pole") == [folder / "deeper/pole"]
    assert runs.directories(folder / "none") == []


def test_what_was_played_is_no_run_that_has_not_begun(folder: Path) -> None:
    about = manifest.read(folder / "cart-a")
    durable.make_folder(folder / "played-cart-a-1")
    manifest.write(folder / "played-cart-a-1", about | {"method": runs.PLAYED, "steps": 17})
    entry = by_name(folder)["played-cart-a-1"]
    assert (entry["state"], entry["steps"]) == ("played", 17)


def test_a_checkpoint_may_be_further_than_the_log(folder: Path) -> None:
    with Run.open(folder / "cart-b") as run:
        run.save(100, {}, {})
    assert (by_name(folder)["cart-b"]["steps"], by_name(folder)["cart-b"]["state"]) == (100, "finished")


def test_a_run_at_work(folder: Path) -> None:
    with Run.open(folder / "cart-b"):
        assert by_name(folder)["cart-b"]["state"] == "running"


def test_broken_folders_are_said_to_be(folder: Path) -> None:
    (folder / "cart-a" / manifest.FILE).write_bytes(b"{")
    assert str(by_name(folder)["cart-a"]["state"]).startswith("broken: ")
    assert by_name(folder)["cart-b"]["state"] == "stopped"


def test_a_run_itself_is_listed(folder: Path) -> None:
    """And its checkpoints, which have manifests too, are not taken for runs."""
    whole = [entry["run"] for entry in runs.list_runs(folder)]
    assert [entry["run"] for entry in runs.list_runs(whole[0])] == [whole[0]]


def test_folders_where_files_belong_break_one_line_only(folder: Path) -> None:
    good = len(runs.list_runs(folder))
    for name in ("lock", "metrics.jsonl"):
        bad = folder / f"bad-{name}"
        (bad / name).mkdir(parents=True)
        (bad / "manifest.json").write_text((next(folder.glob("*/manifest.json"))).read_text())
    entries = runs.list_runs(folder)
    assert len(entries) == good + 2
    assert sum(entry["state"].startswith("broken: ") for entry in entries) == 2


def test_an_evaluation_counts_more_than_training(folder: Path) -> None:
    Run.open(folder / "cart-a").evaluated(100, **{"evaluation/mean": 475.5})
    assert by_name(folder)["cart-a"]["score"] == 475.5
    assert by_name(folder)["cart-a"]["steps"] == 100


def test_finding_one(folder: Path) -> None:
    assert runs.find(folder / "cart-a") == folder / "cart-a"
    assert runs.find("cart-a", folder) == folder / "cart-a"
    assert runs.find("deeper/pole", folder) == folder / "deeper" / "pole"
    with pytest.raises(UserError, match="several runs: cart-a, cart-b"):
        runs.find("cart", folder)
    with pytest.raises(UserError, match="There are cart-a, cart-b"):
        runs.find("dog", folder)
    with pytest.raises(UserError, match="There is none"):
        runs.find("dog", folder / "empty")
    (folder / "cart-b" / manifest.FILE).unlink()
    assert runs.find("cart", folder) == folder / "cart-a"
