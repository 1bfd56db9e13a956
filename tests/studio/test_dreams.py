"""Films of dreams beside each other: asked for, made by a process of its own, remembered."""

import asyncio
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from studio.browser import DOOM, MARKS, cart_of, entered, until

from reverie.errors import UserError
from reverie.run import checkpoints
from reverie.run.runs import find
from reverie.studio import dreams
from reverie.studio.dreams import Films, asked, made, newest
from reverie.studio.shelf import id_of


def frames(film: bytes) -> list[np.ndarray]:
    image: Any = Image.open(io.BytesIO(film))
    found = []
    for number in range(image.n_frames):
        image.seek(number)
        found.append(np.asarray(image.convert("RGB")))
    return found


def finished(work: Any) -> Any:
    """What comes of a coroutine, in a thread of its own: the browser's tests have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def cart(shelf_folder: Path) -> Path:
    return shelf_folder / "cartpole"


@pytest.fixture
def steps(cart: Path) -> list[int]:
    return [checkpoints.step_of(folder) for folder in checkpoints.listed(cart / checkpoints.SNAPSHOTS)][::-1]


def longest(run: Path) -> int:
    from reverie.run.stored import Stored

    episodes = Stored(run).episodes
    return max(range(len(episodes)), key=lambda number: episodes[number].rows)


def test_what_is_asked_for() -> None:
    path = {"0a": Path("a"), "0b": Path("b")}.__getitem__
    assert asked("0a@0,0b@12000", path) == ((Path("a"), 0), (Path("b"), 12_000))
    for wrong in ("", "0a", "0a@", "@1", "0a@-1", "0a@1,", "../a@1", "0A@1", "0a@1 ", "0a@٣", ",".join(["0a@1"] * 7)):
        with pytest.raises(UserError, match="ID@STEP"):
            asked(wrong, path)


def test_a_run_beside_itself(cart: Path, steps: list[int]) -> None:
    """Watched together, then as far apart as what was learned in between; the newest checkpoint is exact."""
    assert len(steps) == 2
    end = newest(cart)
    assert end is not None
    shown = frames(made(cart, longest(cart), ((cart, steps[0]), (cart, end))))
    assert len(shown) > 4
    alone = frames(made(cart, longest(cart), ((cart, end),)))
    assert alone[0].shape[1] != shown[0].shape[1]
    assert any((frame != shown[0]).any() for frame in shown)


def test_what_cannot_be_shown_together(cart: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="runs of one world"):
        made(cart, 0, ((find("weights/doom"), 0),))
    with pytest.raises(UserError, match="has no episode 99999"):
        made(cart, 99_999, ((cart, 40),))
    with pytest.raises(UserError, match="keeps no experience"):
        made(tmp_path, 0, ((cart, 40),))
    bare = tmp_path / "bare"
    shutil.copytree(cart, bare, ignore=shutil.ignore_patterns("snapshots"))
    with pytest.raises(UserError, match="keeps no snapshots"):
        made(cart, longest(cart), ((bare, 40),))


def test_a_film_is_made_once(monkeypatch: pytest.MonkeyPatch, cart: Path) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(Films, "_make", lambda self, *what: calls.append(what) or b"film")
    monkeypatch.setattr(dreams, "REMEMBERED", 2)

    async def ask() -> None:
        films = Films()
        for step in (1, 1, 2, 1, 3, 1, 2):
            assert await films.film(cart, 0, ((cart, step),)) == b"film"

    finished(ask())
    assert [shown[0][1] for _, _, shown in calls] == [1, 2, 3, 2]


@pytest.mark.parametrize("ends", ["refuses", "dies"])
def test_a_process_that_makes_none_says_why(ends: str, monkeypatch: pytest.MonkeyPatch, cart: Path) -> None:
    films = Films()
    if ends == "dies":
        monkeypatch.setattr(dreams, "main", _die)
    with pytest.raises(UserError, match="has no episode" if ends == "refuses" else "its last words"):
        finished(films.film(cart, 99_999, ((cart, 40),)))


def _die(*_: Any) -> None:
    raise SystemExit(3)


def test_it_is_answered_and_explained(studio: Any, cart: Path, steps: list[int]) -> None:
    run, number = cart_of(studio), longest(cart)
    status, headers, body = studio.ask("GET", f"/api/dreams/{run}/{number}/{run}@{steps[0]}")
    assert (status, headers["content-type"]) == (200, "image/webp")
    assert len(frames(body)) > 4
    for path, why in (
        (f"{run}/0/{DOOM}@0", b"runs of one world"),
        (f"{run}/99999/{run}@0", b"no episode"),
        (f"{run}/0/{'0' * 16}@0", b"no such run"),
        (f"{run}/0/nonsense", b"ID@STEP"),
    ):
        status, _, body = studio.ask("GET", f"/api/dreams/{path}")
        assert status == 400
        assert why in body
        assert str(cart).encode() not in body


class TestInTheBrowser:
    pytestmark = MARKS

    def test_of_one_run_at_several_steps(self, page: Page, studio: Any) -> None:
        page.goto(f"{studio.origin}/#/run/{cart_of(studio)}")
        page.click("[data-value=dreams]")
        page.wait_for_selector(".film img:not([hidden])", timeout=60_000)
        width = page.evaluate("document.querySelector('.film img').naturalWidth")
        pressed = "[...document.querySelectorAll('.chips button')].map(it => it.getAttribute('aria-pressed'))"
        assert page.evaluate(pressed) == ["true"] * 3
        page.click(".chips button:first-child")
        assert page.evaluate(pressed) == ["false", "true", "true"]
        until(page, f"document.querySelector('.film img:not([hidden])')?.naturalWidth < {width}")

    def test_of_runs_that_live_in_different_worlds(self, page: Page, studio: Any) -> None:
        page.goto(f"{studio.origin}/#/compare/{cart_of(studio)},{DOOM}")
        page.click("[data-value=dreams]")
        until(page, "document.querySelector('.film .hint').textContent.includes('different worlds')")

    def test_of_runs_at_equal_steps(self, browser: Browser, served_from: Any, cart: Path, tmp_path: Path) -> None:
        """As of the last step that both have reached at first; each one's newest if asked for."""
        for name in ("one", "two"):
            shutil.copytree(cart, tmp_path / name)
        served = served_from(tmp_path)
        served.enter()
        context = entered(browser, served)
        page = context.new_page()
        page.goto(f"{served.origin}/#/compare/{','.join(id_of(tmp_path / name) for name in ('one', 'two'))}")
        page.click("[data-value=dreams]")
        page.wait_for_selector(".film img:not([hidden])", timeout=60_000)
        assert "A: one · B: two" in page.inner_text(".panel")
        names = page.locator(".chips button").all_inner_texts()
        assert len(names) >= 3
        assert names[-1] == "newest"
        assert page.inner_text(".chips [aria-pressed=true]") == names[-2]
        with page.expect_response(lambda answer: "/api/dreams/" in answer.url, timeout=60_000) as answer:
            page.click(".chips button:first-child")
        steps = [part.partition("@")[2] for part in answer.value.url.rpartition("/")[2].split(",")]
        assert answer.value.ok
        assert len(steps) == 2
        assert len(set(steps)) == 1
        context.close()
