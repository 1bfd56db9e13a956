"""A real browser for the tests of the page: whatever Chromium is here; without one they say so and are skipped."""

import shutil
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from reverie.run.runs import find
from reverie.studio.shelf import id_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOUND = next((path for name in BROWSERS if (path := shutil.which(name))), None)
MARKS = [
    pytest.mark.skipif(FOUND is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
    pytest.mark.slow,
]
DOOM = id_of(find("weights/doom"))
WAIT = 120_000
"""Milliseconds: a dream may have to be compiled."""


def entered(browser: Browser, studio: Any, **how: Any) -> BrowserContext:
    """Somebody's browser that has the cookie."""
    context = browser.new_context(**how)
    name, _, value = studio.cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": studio.origin}])
    context.set_default_timeout(WAIT)
    return context


def is_here(url: str, studio: Any) -> bool:
    return url.startswith((studio.origin, "blob:", "data:", f"ws://127.0.0.1:{studio.port}/"))


def cart_of(studio: Any) -> str:
    return id_of(studio.folder / "cartpole")


def opened(page: Page, studio: Any, run: str) -> Page:
    page.goto(f"{studio.origin}/#/play/{run}")
    page.wait_for_selector(".panes .dream canvas")
    until(page, "studio.line && studio.line.length > 1")
    return page


def until(page: Page, expression: str) -> None:
    """Waits until it is so. (Playwright's own way evaluates text in the page, which the page's policy forbids.)"""
    end = time.monotonic() + WAIT / 1000
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(15)


def moment(page: Page) -> int:
    return page.evaluate("studio.at")


def pixels(page: Page, kind: str = "dream") -> str:
    return page.evaluate(f"document.querySelector('.{kind} canvas').toDataURL()")


def pause(page: Page) -> None:
    if page.evaluate("studio.playing"):
        page.keyboard.press("p")
    until(page, "!studio.playing")
