"""The page in a real browser: whatever Chromium is here drives it; without one these tests say so and are skipped."""

import contextlib
import io
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from studio.browser import DOOM, MARKS, WAIT, cart_of, moment, opened, pause, pixels, until

from reverie.studio.shelf import id_of

pytestmark = MARKS


def test_runs_are_listed_and_a_dream_is_opened(page: Page, studio: Any) -> None:
    page.goto(studio.origin)
    page.click("a[aria-label='Play doom']")
    until(page, "studio.line && studio.line.length > 3")
    assert "VizdoomTakeCover-v1" in page.inner_text("#where")
    before = pixels(page)
    until(page, "document.querySelector('.dream canvas').toDataURL() !== " + repr(before))
    until(page, "document.querySelector('.rate').textContent.includes('frames/s')")


def test_keys_move_the_world(page: Page, studio: Any) -> None:
    """From the same moment to the right and to the left: reality shows the cart elsewhere."""
    opened(page, studio, cart_of(studio))
    page.click("text=Side by side")
    page.click("text=You")
    pause(page)
    places = {}
    for key in ("ArrowRight", "ArrowLeft"):
        page.evaluate("studio.say('seek', { moment: 0 })")
        until(page, "studio.at === 0")
        page.keyboard.down(key)
        page.wait_for_selector(".pad .held")
        for _ in range(6):
            before = moment(page)
            page.keyboard.press(".")
            until(page, f"studio.at !== {before}")
        places[key] = page.evaluate(CART)
        page.keyboard.up(key)
    assert places["ArrowRight"] > places["ArrowLeft"] + 1


CART = """() => {
  const canvas = document.querySelector('.reality canvas');
  const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let [sum, count] = [0, 0];
  for (let y = Math.round(height * 0.76); y < height * 0.79; y++) for (let x = 0; x < width; x++) {
    if (data[4 * (y * width + x)] < 60) { sum += x; count += 1; }
  }
  return sum / count;
}"""
"""Where the cart is: the middle of what is black at its height."""


def test_side_by_side(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.click("text=Side by side")
    until(page, "studio.line.some(row => Number.isFinite(row.pixel))")
    for kind in ("dream", "reality"):
        until(page, f"document.querySelector('.{kind} canvas').width === 320")
        assert page.is_visible(f".{kind} canvas")
    assert "error of the dream" in page.inner_text(".legend")
    page.keyboard.press("v")
    until(page, "studio.view === 'reality'")
    assert not page.is_visible(".dream canvas")


def test_pause_step_rewind_and_branch(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    until(page, "studio.at > 12")
    pause(page)
    stood = moment(page)
    time.sleep(0.4)
    assert moment(page) == stood
    page.keyboard.press(".")
    until(page, f"studio.at === {stood + 1}")
    page.keyboard.press(",")
    until(page, f"studio.at === {stood}")
    page.focus("input[aria-label=Moment]")
    page.keyboard.press("Home")
    until(page, "studio.at === 0")
    page.keyboard.press("ArrowRight")  # the slider's own keys stay its own
    until(page, "studio.at === 1")
    page.keyboard.press("p")
    until(page, f"studio.at > {stood + 3}")
    pause(page)
    until(page, "document.querySelectorAll('.tree li').length === 2")
    page.click(".tree li:first-child button")
    until(page, f"studio.at === {stood + 1}")
    until(page, "document.querySelector('.tree li:first-child button').getAttribute('aria-current') === 'true'")


def test_what_is_kept_is_downloaded(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    until(page, "studio.at > 10")
    pause(page)
    for what, format_ in (("png", "PNG"), ("webp", "WEBP")):
        with page.expect_download() as waiting:
            page.click(f"[data-keep={what}]")
        content = Path(str(waiting.value.path())).read_bytes()
        assert Image.open(io.BytesIO(content)).format == format_
    with page.expect_download() as waiting:
        page.click("[data-keep=log]")
    log = Path(str(waiting.value.path())).read_bytes()
    page.set_input_files(
        "input[accept='application/json']", {"name": "a.json", "mimeType": "application/json", "buffer": log}
    )
    page.wait_for_selector("text=the same to the last bit")
    page.click("[data-keep=experience]")
    page.wait_for_selector("text=reverie data show played-doom-1")
    assert (studio.folder / "played-doom-1" / "manifest.json").is_file()
    shutil.rmtree(studio.folder / "played-doom-1")


def test_a_link_leads_to_its_moment(page: Page, studio: Any) -> None:
    run = cart_of(studio)
    opened(page, studio, run)
    pause(page)
    page.click("[data-keep=share]")
    until(page, "studio.shared")
    link = page.evaluate("studio.shared")
    depth = page.evaluate("studio.line.at(-1).depth")
    assert re.fullmatch(rf"{studio.origin}/#/play/{run}/[0-9a-f]{{16}}", link)
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector("text=of a shared dream")
    until(page, f"studio.line.length === {depth + 1}")


def test_an_image_is_where_a_dream_begins(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80), (255, 40, 20)).save(buffer, "PNG")
    page.set_input_files(
        "input[accept^='image/png']", {"name": "a.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    until(page, "!studio.inWorld && studio.line.length > 3")
    page.set_input_files(
        "input[accept^='image/png']", {"name": "a.png", "mimeType": "image/png", "buffer": b"no image"}
    )
    page.wait_for_selector(".toast.trouble")
    page.evaluate("window.expected = true")  # the browser notes the refusal as an error


def test_sliders_change_the_picture(page: Page, studio: Any) -> None:
    opened(page, studio, DOOM)
    pause(page)
    page.click("text=Show sliders")
    page.wait_for_selector(".dials input")
    before = pixels(page)
    slider = page.locator(".dials input").first
    slider.focus()
    page.keyboard.press("End")
    until(page, "document.querySelector('.dream canvas').toDataURL() !== " + repr(before))
    assert page.evaluate("studio.line.at(-1).how") == 3


def test_light_and_dark_are_remembered(page: Page, studio: Any) -> None:
    page.goto(studio.origin)
    ground = lambda: page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.wait_for_selector("h1")
    dark = ground()
    page.click("#theme")
    light = ground()
    assert sum(map(int, re.findall(r"\d+", light)[:3])) > sum(map(int, re.findall(r"\d+", dark)[:3])) + 300
    page.reload()
    page.wait_for_selector("h1")
    assert ground() == light
    page.click("#theme")


@pytest.mark.parametrize("where", ["", "#/play/{cart}", "#/run/{cart}"])
def test_a_narrow_screen_shows_everything(where: str, page: Page, studio: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{studio.origin}/{where.format(cart=cart_of(studio))}")
    page.wait_for_selector("tbody tr" if not where else ".dream canvas" if "play" in where else ".curve canvas")
    time.sleep(0.5)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_it_is_played_with_fingers(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.click("text=You")
    box = page.locator(".pad button").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.wait_for_selector(".pad button.held")
    page.mouse.up()
    until(page, "!document.querySelector('.pad button.held')")


def test_keys_are_chosen_anew(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    page.click("text=Choose keys …")
    page.click(".pad button:first-child")
    page.keyboard.press("q")
    page.get_by_role("button", name="Done", exact=True).click()
    assert "q" in page.inner_text(".pad button:first-child kbd").split()
    page.keyboard.down("q")
    page.wait_for_selector(".pad button:first-child.held")
    page.keyboard.up("q")
    page.reload()
    page.wait_for_selector(".pad kbd")
    assert "q" in page.inner_text(".pad button:first-child kbd").split()
    page.evaluate("localStorage.clear()")


NAME = "it => (it.getAttribute('aria-label') || it.textContent).trim()"


def test_everything_is_reached_by_keyboard(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    pause(page)
    page.evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
        )
        seen.add(name)
    controls = page.evaluate(f"""[...document.querySelectorAll('button:not(:disabled), select:not(:disabled)')]
      .filter(it => it.offsetParent && it.tabIndex >= 0).map({NAME})""")
    assert set(controls) <= seen


def test_everything_has_a_name(page: Page, studio: Any) -> None:
    opened(page, studio, cart_of(studio))
    nameless = page.evaluate("""[...document.querySelectorAll('button, select, input, a, img, canvas')]
      .filter(it => it.offsetParent && !it.closest('[aria-hidden=true]'))
      .filter(it => !(it.getAttribute('aria-label') || it.textContent.trim() || it.labels?.length))
      .filter(it => !(it.tagName === 'IMG' && it.hasAttribute('alt')))
      .map(it => it.outerHTML)""")
    assert nameless == []


def test_names_are_text(browser: Browser, shelf_folder: Path, tmp_path: Path, served_from: Any) -> None:
    evil = '<img src=x onerror="alert(1)">'
    (tmp_path / evil).mkdir()
    shutil.copy(shelf_folder / "cartpole" / "manifest.json", tmp_path / evil)
    (tmp_path / evil / "metrics.jsonl").write_text('{"step": 1, "<script>alert(2)</script>": 3}\n')
    fresh = served_from(tmp_path)
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        dialogs: list[str] = []
        page.on("dialog", lambda it: (dialogs.append(it.message), it.dismiss()))
        page.goto(fresh.link)
        page.wait_for_selector("tbody tr")
        assert evil in page.inner_text("tbody")
        page.click(f"#run-{id_of(tmp_path / evil)}")
        page.wait_for_selector("text=alert(2)")
        page.click("text=Settings")
        page.wait_for_selector("text=config.rssm.deter")
        assert dialogs == []
        assert page.locator("main img[src=x]").count() == 0
        assert "token" not in page.url


def test_it_comes_back_after_the_server(browser: Browser, served_from: Any, shelf_folder: Path, tmp_path: Path) -> None:
    first = served_from(shelf_folder, home=tmp_path)
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(f"{first.link}&to={DOOM}")
        until(page, "studio.line && studio.line.length > 3")
        first.stop()
        page.wait_for_selector("text=Connection lost")
        again = served_from(shelf_folder, home=tmp_path, port=first.port)
        page.wait_for_selector("text=The studio was started anew", timeout=WAIT)
        until(page, "studio.playing && studio.line.length > 3")
        assert page.inner_text("#status") == ""
        again.stop()


def test_who_only_watches_and_plays_is_offered_no_more(browser: Browser, served_from: Any, shelf_folder: Path) -> None:
    fresh = served_from(shelf_folder, "--viewers", "1")
    token = fresh.viewers(1)[0]
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(f"{fresh.origin}/open?token={token}&to={DOOM}")
        until(page, "studio.line && studio.line.length > 3")
        pause(page)
        offered = page.evaluate("[...document.querySelectorAll('[data-keep]')].map(it => it.dataset.keep)")
        assert offered == ["png", "webp", "mp4", "log"]
        assert page.locator("input[type=file]").count() == 0
        with page.expect_download() as waiting:
            page.click("[data-keep=png]")
        assert Path(str(waiting.value.path())).read_bytes().startswith(b"\x89PNG")
        for what in ("share", "experience"):
            page.evaluate(f"studio.{what}()")
            page.wait_for_selector(".toast.trouble")
            page.evaluate("document.querySelector('.toast.trouble').remove()")
