"""Runs by ids, as they are now, whatever happens to them meanwhile."""

import json
from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run.runs import find
from reverie.studio import shelf as module
from reverie.studio.shelf import Shelf, id_of

DOOM = find("weights/doom")


@pytest.fixture
def shelf(shelf_folder: Path) -> Shelf:
    return Shelf(shelf_folder, (DOOM,))


@pytest.fixture
def cart(shelf_folder: Path) -> str:
    return id_of(shelf_folder / "cartpole")


def test_every_run_has_an_id_that_says_nothing_of_its_path(shelf: Shelf, cart: str) -> None:
    entries = {entry["id"]: entry for entry in shelf.entries()}
    assert entries.keys() == {cart, id_of(DOOM)}
    assert entries[cart]["state"] == "finished"
    assert entries[id_of(DOOM)]["state"] == "weights"
    assert entries[id_of(DOOM)]["steps"] == 300_000
    assert "/" not in json.dumps(list(entries.values())).replace("reverie/", "")


@pytest.mark.parametrize("id", ["", "..", "/etc", "cartpole", "0" * 16, "%2e%2e", "../cartpole", "a" * 5000, "\0"])
def test_what_is_not_on_the_shelf_is_nowhere(id: str, shelf: Shelf) -> None:
    for look in (shelf.path, shelf.config, shelf.metrics, shelf.media, shelf.episodes):
        with pytest.raises(UserError, match="no such run"):
            look(id)


def test_settings_and_curves(shelf: Shelf, cart: str) -> None:
    assert shelf.config(cart)["config.rssm.deter"] == 16
    found = shelf.metrics(cart)
    assert found["run"] == "cartpole"
    assert all(len(line["x"]) == len(line["y"]) for line in found["series"].values())
    json.dumps(found, allow_nan=False)


def test_a_log_that_grows_and_has_a_torn_line_is_read(tmp_path: Path, shelf_folder: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_bytes((shelf_folder / "cartpole" / "manifest.json").read_bytes())
    lines = [json.dumps({"step": step, "loss": 1.0 / (step + 1), "odd": "NaN"}) for step in range(5000)]
    (run / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 9')
    shelf = Shelf(tmp_path)
    found = shelf.metrics(id_of(run))["series"]
    assert len(found["loss"]["x"]) <= module.POINTS + 1
    assert found["loss"]["x"][-1] == 4999
    assert set(found["odd"]["y"]) == {None}


def test_only_pictures_of_media_are_shown_and_links_are_not_followed(tmp_path: Path, shelf_folder: Path) -> None:
    media = tmp_path / "run" / "media"
    media.mkdir(parents=True)
    (tmp_path / "run" / "manifest.json").write_bytes((shelf_folder / "cartpole" / "manifest.json").read_bytes())
    (media / "a.webp").write_bytes(b"webp")
    (media / "b.html").write_text("<script>")
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    (media / "c.png").symlink_to(secret)
    shelf, id = Shelf(tmp_path), id_of(tmp_path / "run")
    assert shelf.media(id) == ["a.webp", "c.png"]
    assert shelf.medium(id, 0) == (media / "a.webp", "image/webp")
    for number in (1, 2, -1, 10**9):
        with pytest.raises(UserError):
            shelf.medium(id, number)


def test_episodes(shelf: Shelf, cart: str) -> None:
    found = shelf.episodes(cart)
    assert found["count"] == len(found["episodes"]) > 0
    one = shelf.episode(cart, found["episodes"][-1]["number"])
    assert one["rows"] == len(one["rewards"]) == len(one["vectors"]["observation"])
    assert not one["pictures"]
    with pytest.raises(UserError, match="no such picture"):
        shelf.picture(cart, 0, 0)


def test_pictures_of_rows(shelf: Shelf) -> None:
    content, width, height = shelf.picture(id_of(DOOM), 0, 0)
    assert (width, height, len(content)) == (64, 64, 64 * 64 * 3)
    with pytest.raises(UserError, match="no such picture"):
        shelf.picture(id_of(DOOM), 0, 500)


def test_a_run_that_vanishes_is_gone_and_a_broken_one_is_named(
    tmp_path: Path, shelf_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH", -1.0)
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text("{")
    shelf = Shelf(tmp_path)
    assert [(entry["run"], entry["state"]) for entry in shelf.entries()] == [("run", "broken")]
    (run / "manifest.json").unlink()
    assert shelf.entries() == []


def test_texts_for_the_page_name_no_folder(shelf: Shelf, shelf_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    run = shelf_folder.absolute() / "cartpole"
    said = f"{run} has no episode 9, nor has {DOOM.absolute()}, {shelf_folder}/x or /home/somebody/x."
    assert shelf.hushed(said) == f"cartpole has no episode 9, nor has doom, {shelf_folder.name}/x or ~/x."
    monkeypatch.setenv("HOME", "/")
    assert shelf.hushed("a/b") == "a/b"
