"""What the page says, and that it is so: strips, sliders, addresses, heads of tables, films of any kind."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from studio.browser import DOOM, MARKS, WAIT, cart_of, entered, moment, opened, pause, until

from reverie.evaluate import video
from reverie.studio.shelf import id_of

pytestmark = MARKS
DRAWN = """() => {
  const strip = document.querySelector('canvas.strip');
  const { data } = strip.getContext('2d').getImageData(0, 0, strip.width, strip.height);
  const tone = getComputedStyle(document.documentElement).getPropertyValue('--warm').trim();
  const wanted = [1, 3, 5].map((place) => parseInt(tone.slice(place, place + 2), 16));
  let count = 0;
  for (let at = 0; at < data.length; at += 4)
    count += data[at + 3] > 120 && wanted.every((value, part) => Math.abs(data[at + part] - value) < 40);
  return count;
}"""
"""How many pixels of the strip are of the line of uncertainty."""


def test_the_strip_of_a_dream_shows_its_numbers_where_reality_is_here_too(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    pause(page)
    for _ in range(12):  # an unlearned model sees ends everywhere, and stops there
        before = moment(page)
        page.keyboard.press(".")
        until(page, f"studio.at > {before}")
    assert page.evaluate("studio.about.reality")
    assert page.evaluate("studio.view") == "dream"
    until(page, f"({DRAWN})() > 60")
    assert not page.is_visible("text=Error of the picture")


def test_a_slider_that_has_the_focus_has_the_arrows(page: Page, studio: Any) -> None:
    """By keyboard; after a mouse let go of it, they are the world's again."""
    opened(page, studio, cart_of(studio))
    pause(page)
    page.focus("[aria-label=Temperature]")
    before = page.evaluate("document.activeElement.value")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert int(page.evaluate("document.activeElement.value")) == int(before) + 5
    assert not page.evaluate("studio.hands.held.size")
    page.click("[aria-label=Temperature]")
    page.keyboard.down("ArrowRight")
    assert page.evaluate("studio.hands.held.size") == 1
    page.keyboard.up("ArrowRight")


def test_a_slider_that_is_drawn_makes_one_moment_of_a_branch(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    until(page, "studio.at > 4")
    pause(page)
    page.click("text=Show sliders")
    page.wait_for_selector(".dials input")
    before = page.evaluate("studio.line.length")
    for value in ("0.5", "1.5", "-1"):
        page.evaluate(
            f"(() => {{ const it = document.querySelector('.dials input'); it.value = {value}; it.oninput(); }})()"
        )
        page.wait_for_timeout(60)
    page.wait_for_selector(".tree li:nth-child(2)")
    assert page.evaluate("studio.line.length") == before + 1
    assert "2: from step" in page.inner_text(".tree")


def test_a_dream_without_a_world_stays_one(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.select_option("[aria-label='Begin with']", "memory")
    page.fill("[aria-label='Seed, start or episode']", "-3")
    page.click(".side button:text-is('Begin')")
    until(page, "studio.inWorld === false")
    assert page.input_value("[aria-label='Seed, start or episode']") == "0"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("v")
    page.wait_for_selector(".toast.trouble")
    assert page.evaluate("studio.view") == "dream"
    assert page.is_visible(".dream canvas")


@pytest.mark.parametrize("where", ["#/run/nope", "#/compare/", "#/play/", "#/elsewhere"])
def test_an_address_that_leads_nowhere_says_so(where: str, page: Page, studio: Any) -> None:
    page.goto(f"{studio.origin}/{where}")
    page.wait_for_selector("main [role=alert]")
    page.click("text=All runs")
    page.wait_for_selector("tbody tr")
    assert page.inner_text("#status") == ""


def test_a_run_that_is_not_here_says_so(browser: Browser, studio: Any) -> None:
    with contextlib.closing(entered(browser, studio)) as context:
        page = context.new_page()
        page.goto(f"{studio.origin}/#/run/{'0' * 16}")
        page.wait_for_selector("text=There is no such run here")


def test_settings_of_several_runs_have_their_names(page: Page, studio: Any) -> None:
    page.goto(f"{studio.origin}/#/compare/{cart_of(studio)},{DOOM}")
    page.click("[data-value=settings]")
    page.wait_for_selector(".settings thead th")
    assert page.locator(".settings thead th").all_inner_texts() == ["setting", "cartpole", "doom"]


def test_a_comparison_goes_on_when_a_run_that_was_away_is_back(
    browser: Browser, served_from: Any, shelf_folder: Path, tmp_path: Path
) -> None:
    names = ("one", "two")
    for name in names:
        shutil.copytree(shelf_folder / "cartpole", tmp_path / "runs" / name)
    served = served_from(tmp_path / "runs")
    served.enter()
    with contextlib.closing(entered(browser, served)) as context:
        page = context.new_page()
        page.goto(f"{served.origin}/#/compare/{','.join(id_of(tmp_path / 'runs' / name) for name in names)}")
        page.wait_for_selector(".curve canvas")
        (tmp_path / "runs" / "two").rename(tmp_path / "away")
        page.wait_for_selector(".toast.trouble >> text=it may have been moved")
        (tmp_path / "away").rename(tmp_path / "runs" / "two")
        two = id_of(tmp_path / "runs" / "two")
        with page.expect_response(lambda it: two in it.url and "metrics" in it.url and it.ok, timeout=WAIT):
            pass


def test_a_film_that_is_only_an_mp4_is_shown(
    browser: Browser, served_from: Any, shelf_folder: Path, tmp_path: Path
) -> None:
    if not video.has_mp4():
        pytest.skip("ffmpeg is not here")
    shutil.copytree(shelf_folder / "cartpole", tmp_path / "filmed")
    (tmp_path / "filmed" / "media").mkdir(exist_ok=True)
    for name in ("lone.mp4", "both.mp4", "both.webp"):
        (tmp_path / "filmed" / "media" / name).write_bytes(b"")
    served = served_from(tmp_path)
    served.enter()
    with contextlib.closing(entered(browser, served)) as context:
        page = context.new_page()
        page.goto(f"{served.origin}/#/run/{id_of(tmp_path / 'filmed')}")
        page.click("[data-value=media]")
        page.wait_for_selector(".film", timeout=WAIT)
        assert page.locator(".film figcaption").all_inner_texts() == ["both.webp", "lone.mp4"]
        assert page.locator(".film video").count() == 1


def test_episodes_say_which_is_open_and_where_one_is(page: Page, studio: Any) -> None:
    page.goto(f"{studio.origin}/#/run/{cart_of(studio)}")
    page.click("[data-value=episodes]")
    page.wait_for_selector(".viewer canvas")
    assert page.locator(".chips [aria-pressed=true]").count() == 1
    before = page.evaluate("document.querySelector('.viewer .strip').toDataURL()")
    page.focus(".viewer input[type=range]")
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('.viewer .strip').toDataURL() !== {before!r}")
    page.click(".chips button:nth-child(2)")
    until(page, "document.querySelector('.chips button:nth-child(2)').getAttribute('aria-pressed') === 'true'")


def test_what_was_set_is_set_again_after_the_server(
    browser: Browser, served_from: Any, shelf_folder: Path, tmp_path: Path
) -> None:
    first = served_from(shelf_folder, home=tmp_path)
    first.enter()
    with contextlib.closing(entered(browser, first)) as context:
        page = opened(context.new_page(), first, DOOM)
        page.select_option("[aria-label=Speed]", "0.5")
        page.evaluate("studio.say('temperature', { value: 2.5 })")
        before = moment(page)
        until(page, f"studio.at > {before}")
        first.process.kill()
        first.process.wait()
        page.wait_for_selector("text=Connection lost")
        again = served_from(shelf_folder, home=tmp_path, port=first.port)
        page.wait_for_selector("text=The studio was started anew", timeout=WAIT)
        until(page, "studio.playing && studio.line.length > 3")
        page.wait_for_timeout(300)
        pause(page)
        with page.expect_download() as waiting:
            page.click("[data-keep=log]")
        assert '"temperature": 2.5' in Path(str(waiting.value.path())).read_text()
        again.stop()
