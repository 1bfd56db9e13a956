"""A gamepad and fingers steer the dream as keys do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright
from studio.browser import DOOM, MARKS, WAIT, entered, opened, pause, pixels, until

pytestmark = MARKS
GAMEPAD = """() => {
  window.pad = { axes: [0, 0, 0, 0], buttons: Array.from({ length: 17 }, () => ({ pressed: false, value: 0 })) };
  navigator.getGamepads = () => [null, window.pad];
}"""
STEPS = 8


@pytest.fixture
def pad(page: Page, studio: Any) -> Page:
    """The dream of Doom, with a gamepad in somebody's hands."""
    page.add_init_script(f"({GAMEPAD})()")
    opened(page, studio, DOOM)
    page.click("[data-value=person]")
    pause(page)
    return page


def dreamt(page: Page) -> tuple[list[int], str]:
    """From the first moment on, with what is held: the actions, and the last picture."""
    page.evaluate("studio.say('seek', { moment: 0 })")
    until(page, "studio.at === 0")
    for _ in range(STEPS):
        before = page.evaluate("studio.at")
        page.evaluate("studio.say('step')")
        until(page, f"studio.at !== {before}")
    return page.evaluate("studio.line.slice(1).map(row => row.action)"), pixels(page)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("pad.axes[0] = -1", "pad.axes[0] = 1"),
        ("pad.buttons[14].pressed = true", "pad.buttons[15].pressed = true"),
    ],
)
def test_a_gamepad_steers(left: str, right: str, pad: Page) -> None:
    found = {}
    for name, press in (("move left", left), ("move right", right)):
        pad.evaluate(press)
        pad.wait_for_selector(f".pad button.held:has-text('{name}')")
        found[name] = dreamt(pad)
        pad.evaluate("pad.axes.fill(0); pad.buttons.forEach(it => { it.pressed = false; })")
        until(pad, "!document.querySelector('.pad .held')")
    (to_left, left_picture), (to_right, right_picture) = found["move left"], found["move right"]
    assert len(set(to_left)) == len(set(to_right)) == 1
    assert to_left[0] != to_right[0]
    assert left_picture != right_picture


def test_a_stick_that_drifts_holds_nothing(pad: Page) -> None:
    pad.evaluate("pad.axes[0] = 0.3")
    pad.keyboard.down("ArrowLeft")  # noticed after the gamepad was looked at
    pad.wait_for_selector(".pad .held")
    pad.keyboard.up("ArrowLeft")
    until(pad, "!document.querySelector('.pad .held')")


def test_a_gamepad_that_is_pulled_out_lets_go(pad: Page) -> None:
    pad.evaluate("pad.axes[0] = 1")
    pad.wait_for_selector(".pad .held")
    pad.evaluate("navigator.getGamepads = () => [null, null]")
    until(pad, "!document.querySelector('.pad .held')")


class Fingers:
    """Touches, as a telephone reports them."""

    def __init__(self, page: Page) -> None:
        self._page, self._session = page, page.context.new_cdp_session(page)

    def put(self, *selectors: str) -> None:
        """Fingers on the middle of these; none: all are lifted."""
        points = []
        for number, selector in enumerate(selectors):
            box = self._page.locator(selector).bounding_box()
            assert box is not None
            points.append({"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "id": number})
        kind = "touchStart" if points else "touchEnd"
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture
def phone(browser: Browser, playwright: Playwright, studio: Any) -> Iterator[Page]:
    """The dream of Doom on a telephone."""
    device = dict(playwright.devices["Pixel 5"])
    device.pop("default_browser_type", None)
    with contextlib.closing(entered(browser, studio, **device)) as context:
        context.set_default_timeout(WAIT)
        page = context.new_page()
        opened(page, studio, DOOM)
        yield page


def test_fingers_hold_what_they_are_on(phone: Page) -> None:
    assert phone.evaluate("navigator.maxTouchPoints > 0 && matchMedia('(pointer: coarse)').matches")
    phone.tap("[data-value=person]")
    phone.tap("[aria-label='Pause (P)']")
    until(phone, "!studio.playing")
    fingers, found = Fingers(phone), {}
    phone.locator(".pad").scroll_into_view_if_needed()
    top = phone.evaluate("scrollY")
    for name in ("move left", "move right"):
        fingers.put(f".pad button:has-text('{name}')")
        phone.wait_for_selector(f".pad button.held:has-text('{name}')")
        found[name] = dreamt(phone)
        fingers.put()
        until(phone, "!document.querySelector('.pad .held')")
    assert found["move left"][0] != found["move right"][0]
    assert found["move left"][1] != found["move right"][1]
    assert phone.evaluate("[scrollY, getSelection().toString(), visualViewport.scale]") == [top, "", 1]


def test_two_fingers_hold_two(phone: Page) -> None:
    phone.locator(".pad").scroll_into_view_if_needed()
    fingers = Fingers(phone)
    fingers.put(".pad button:has-text('move left')", ".pad button:has-text('move right')")
    until(phone, "document.querySelectorAll('.pad .held').length === 2")
    fingers.put()
    until(phone, "!document.querySelector('.pad .held')")


def test_everything_is_large_enough_for_a_finger(phone: Page) -> None:
    """24 pixels at least, as WCAG 2.2 asks; what plays, 44."""
    small = phone.evaluate("""[...document.querySelectorAll('button, select, input, a')].filter(it => it.offsetParent)
      .filter(it => !it.closest('.unseen') && !it.matches('.unseen, .skip'))
      .map(it => [(it.closest('label') || it).getBoundingClientRect(), it])
      .filter(([box, it]) => Math.min(box.width, box.height) < (it.closest('.pad') ? 44 : 24))
      .map(([box, it]) => `${it.outerHTML.slice(0, 90)} ${box.width}x${box.height}`)""")
    assert small == []
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
