"""axe-core on every view of the page, light and dark, wide and narrow: nothing that shuts people out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page
from studio.browser import DOOM, MARKS, cart_of, opened, pause, until

pytestmark = MARKS
AXE = (Path(axe_playwright_python.__path__[0]) / "axe.min.js").read_text()
FLAT = "document.body.style.background = 'color-mix(in srgb, var(--dream) 13%, var(--ground))'"
"""The ground's own gradient at its strongest: of a gradient axe says that it cannot tell."""
SERIOUS = ("serious", "critical")
RUN = """axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(it =>
  [it.impact, it.id, it.nodes.map(node => `${node.target}: ${node.failureSummary}`).join('; ')]))"""


def runs(page: Page, studio: Any) -> None:
    page.goto(studio.origin)
    page.wait_for_selector("tbody tr")


def tab(name: str, shows: str, *more: str) -> Callable[[Page, Any], None]:
    """A view of a run, or with `more` of them of several."""

    def look(page: Page, studio: Any) -> None:
        ids = ",".join([cart_of(studio), *more])
        page.goto(f"{studio.origin}/#/{'compare' if more else 'run'}/{ids}")
        page.wait_for_selector(".curve canvas")
        page.click(f"[data-value={name}]")
        page.wait_for_selector(shows)

    return look


def dream(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    until(page, "studio.at > 3")
    pause(page)


def beside(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.click("[data-value=both]")
    until(page, "studio.line.some(row => Number.isFinite(row.pixel))")


def reality(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.click("[data-value=reality]")
    page.wait_for_selector(".reality canvas")


def branched(page: Page, studio: Any) -> None:
    """With sliders and branches open."""
    dream(page, studio)
    page.evaluate("studio.say('seek', { moment: 1 })")
    until(page, "studio.at === 1")
    page.keyboard.press(".")
    page.wait_for_selector(".tree li:nth-child(2)")
    page.click("text=Show sliders")
    page.wait_for_selector(".dials input")


def choosing(page: Page, studio: Any) -> None:
    """Keys are being given out."""
    opened(page, studio, cart_of(studio))
    page.click("text=Choose keys …")
    page.click(".pad button:first-child")


def troubled(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.evaluate("studio.say('turn', { dial: 60, value: 0 })")
    page.wait_for_selector(".toast.trouble")


def ended(page: Page, studio: Any) -> None:
    page.goto(f"{studio.origin}/#/play/{'0' * 16}")
    page.wait_for_selector("main [role=alert]")


VIEWS: dict[str, Callable[[Page, Any], None]] = {
    "the runs": runs,
    "curves of several": tab("curves", ".curve canvas", DOOM),
    "settings of several": tab("settings", ".settings tr", DOOM),
    "dreams of several": tab("dreams", ".film .hint:not(:empty)", DOOM),
    "curves": tab("curves", ".curve canvas"),
    "its dreams": tab("dreams", ".film img:not([hidden])"),
    "films": tab("media", ".panel .hint"),
    "episodes": tab("episodes", ".viewer canvas"),
    "settings": tab("settings", ".settings tr"),
    "a dream": dream,
    "side by side": beside,
    "reality": reality,
    "sliders and branches": branched,
    "choosing keys": choosing,
    "trouble": troubled,
    "no such run": ended,
}


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_serious_is_wrong_with(view: str, page: Page, studio: Any) -> None:
    VIEWS[view](page, studio)
    page.evaluate(AXE)
    page.evaluate(FLAT)
    found = []
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        for theme in ("dark", "light"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'; studio.redraw?.()")
            wrong = page.evaluate(RUN)
            found += [(width, theme, *it) for it in wrong if it[0] in SERIOUS]
    assert found == []


def test_what_is_wrong_is_seen(page: Page, studio: Any) -> None:
    """A planted picture without a text, and grey on grey."""
    runs(page, studio)
    page.evaluate("""() => {
      const [image, pale] = [document.createElement('img'), document.createElement('p')];
      image.src = '/static/moon.svg';
      Object.assign(pale.style, { color: '#777', background: '#888' });
      pale.textContent = 'hardly to be read';
      document.querySelector('main').append(image, pale);
    }""")
    page.evaluate(AXE)
    assert {"image-alt", "color-contrast"} <= {it[1] for it in page.evaluate(RUN)}
