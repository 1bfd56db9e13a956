"""Whatever a run calls itself is text: nothing that looks like markup or a script becomes either, in Chromium."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from studio import hostile
from studio.browser import MARKS, entered, until

from reverie.run import manifest
from reverie.run.runs import find
from reverie.studio.shelf import id_of

pytestmark = MARKS
WORST = '<img src=x onerror="window.injected=1">'
FOREIGN = """[...document.querySelectorAll('*')].filter(it =>
  /^(iframe|embed|object|base|style|form|marquee|math|template|video|audio|dialog|xmp|plaintext|x|slot|textarea|details)$/i
    .test(it.localName)
  || it.matches('script:not([src^="/static/"]), meta[http-equiv], img:not([src^="/api/"], [src^="data:image/"])')
  || [...it.attributes].some(at => /^on/i.test(at.name) || /^(href|src|action|formaction|data)$/i.test(at.name)
    && /^\\s*(javascript|vbscript|data:text)/i.test(at.value)))
  .map(it => it.outerHTML)"""
"""Elements that no script of the page's makes."""


@pytest.fixture(scope="module")
def named(module_served: Any, shelf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A studio of runs whose every word is hostile, and of one that can be played."""
    folder = tmp_path_factory.mktemp("texts")
    about = {name: value for name, value in manifest.read(shelf_folder / "cartpole").items() if name != "blake2b"}
    for number, text in enumerate(hostile.texts()):
        run = folder / f"{text}{number}"
        (run / "media").mkdir(parents=True)
        Image.new("RGB", (2, 2)).save(run / "media" / f"{text} .png")
        words = dict.fromkeys(("method", "environment", "size", "created"), text)
        manifest.write(run, about | words | {"config": {text: text, "inner": {text: [text]}}, "versions": {text: text}})
        entries = [{"step": step, text: step, f"{text}/return": 1.0} for step in (1, 2)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(it) + "\n" for it in entries))
    shutil.copytree(find("weights/doom"), folder / WORST)
    studio = module_served(folder)
    studio.enter()
    return studio


@pytest.fixture
def wary(browser: Browser, named: Any) -> Iterator[Page]:
    """A page on which nothing may happen: no dialog, complaint, request elsewhere or strange node."""
    with contextlib.closing(entered(browser, named, viewport={"width": 1280, "height": 900})) as context:
        page = context.new_page()
        happened: list[str] = []
        page.on("dialog", lambda it: (happened.append(it.message), it.dismiss()))
        page.on("console", lambda it: happened.append(it.text) if it.type == "error" else None)
        page.on("pageerror", lambda it: happened.append(str(it)))
        page.on("request", lambda it: None if named.origin in it.url else happened.append(it.url))
        yield page
        assert page.evaluate(FOREIGN) == []
        assert page.evaluate("window.injected") is None
        assert [it for it in happened if not it.startswith(("blob:", "data:"))] == []


def names_of(named: Any) -> list[str]:
    return [f"{text}{number}" for number, text in enumerate(hostile.texts())]


def seen(text: str) -> str:
    """As a page shows it: white space and marks of direction aside."""
    return re.sub(r"[\s\u2028\u202e\ufeff]+", "", text)


def test_in_the_list(wary: Page, named: Any) -> None:
    wary.goto(named.origin)
    wary.wait_for_selector(f"tbody tr:nth-child({len(hostile.texts())})")
    shown = seen(wary.evaluate("document.querySelector('tbody').textContent"))
    assert [name for name in names_of(named) if seen(name) not in shown] == []


def test_beside_each_other(wary: Page, named: Any) -> None:
    """All of them at once: names, curves, and every setting by its name."""
    ids = [id_of(named.folder / name) for name in names_of(named)]
    wary.goto(f"{named.origin}/#/compare/{','.join(ids)}")
    until(wary, f"document.querySelectorAll('.curve canvas').length > {len(ids)}")
    shown = wary.evaluate("document.querySelector('main').textContent")
    wary.click("[data-value=settings]")
    until(wary, f"document.querySelectorAll('.settings tr').length > {len(ids)}")
    shown = seen(shown + wary.evaluate("document.querySelector('main').textContent"))
    assert [text for text in hostile.texts() if seen(text) not in shown] == []


@pytest.mark.parametrize("first", range(0, 10, 5))
def test_on_their_own(first: int, wary: Page, named: Any) -> None:
    for name in names_of(named)[first::10]:
        wary.goto(f"{named.origin}/#/run/{id_of(named.folder / name)}")
        until(wary, f"document.querySelector('h1')?.textContent === {json.dumps(name)}")
        wary.wait_for_selector(".curve canvas")
        wary.click("[data-value=media]")
        wary.wait_for_selector(".film img")
        wary.click("[data-value=settings]")
        wary.wait_for_selector(".settings tr")


def test_while_it_is_played(wary: Page, named: Any) -> None:
    wary.goto(f"{named.origin}/#/play/{id_of(named.folder / WORST)}")
    until(wary, "studio.line && studio.line.length > 3")
    assert WORST in wary.inner_text("#where")
    assert WORST in wary.evaluate("document.querySelector('h1').textContent")
    wary.click("[data-keep=experience]")
    wary.wait_for_selector("text=reverie data show")
    assert WORST in wary.inner_text(".toast")


@pytest.mark.parametrize("text", ["<img src=x onerror={0}>", "<iframe onload=top.{0}>", "<a href=javascript:{0}>x</a>"])
def test_what_would_be_markup_is_seen(text: str, browser: Browser) -> None:
    """Set as markup, on a page without a policy: it is noticed, and it runs."""
    page = browser.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda it: (dialogs.append(it.message), it.dismiss()))
    page.evaluate("it => { document.body.innerHTML = it; }", text.format(hostile.SCRIPT))
    assert page.evaluate(FOREIGN)
    page.evaluate("document.querySelector('a')?.click()")
    until(page, "window.injected === 1")
    page.close()
    assert dialogs
