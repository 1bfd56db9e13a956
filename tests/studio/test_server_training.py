"""A run is looked at while its trainer starts, trains and is killed: the page says so, and nobody's files change."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from studio.browser import MARKS, entered, until

from reverie.studio.shelf import id_of

pytestmark = MARKS
WATCHED = """
import os, sys
KINDS = ('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.truncate', 'os.chmod', 'os.chown', 'os.utime', 'os.link',
         'os.symlink', 'shutil.rmtree')
def told(event, given):
    writes = event == 'open' and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if (writes or event in KINDS) and {folder!r} in str(given):
        print('CHANGED', event, given, flush=True)
sys.addaudithook(told)
"""
"""Done first in the studio's process: whatever would change something in the folder is printed."""


@pytest.fixture
def trainer(tmp_path: Path, micro: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Trains for longer than anybody looks, unless it is killed."""
    line = ["train", "dreamer3", "CartPole-v1", "--steps", "1000000", "--run", str(tmp_path / "runs" / "live"), *micro]
    command = [sys.executable, "-m", "reverie.cli.main", *line, "--save-every", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def state(page: Page) -> str:
    return page.evaluate("document.querySelector('.state')?.textContent || ''")


def files(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Size, time and content of everything."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_the_page_says_what_a_trainer_does(
    browser: Browser, served_from: Any, tmp_path: Path, trainer: subprocess.Popen[bytes]
) -> None:
    folder = tmp_path / "runs"
    folder.mkdir(exist_ok=True)
    studio = served_from(folder, first=WATCHED.format(folder=str(folder)))
    studio.enter()
    live = folder / "live"
    with closing(entered(browser, studio, viewport={"width": 1280, "height": 900})) as context:
        page = context.new_page()
        page.goto(studio.origin)
        until(page, "[...document.querySelectorAll('tbody tr')].some(it => /live.*running/.test(it.textContent))")
        page.click(f"#run-{id_of(live)}")
        until(page, "document.querySelectorAll('.curve canvas').length > 1")
        assert state(page) == "running"
        count = f"fetch('/api/runs/{id_of(live)}/metrics').then(it => it.json()).then(it => {{ window.many = "
        count += "it.series['episode/return'].x.length; })"
        page.evaluate(count)
        before = page.evaluate("many")
        while page.evaluate("many") == before:  # the curves grow
            page.wait_for_timeout(200)
            page.evaluate(count)
        page.click("[data-value=episodes]")
        page.wait_for_selector(".panel .hint")
        os.killpg(trainer.pid, signal.SIGKILL)
        trainer.wait()
        left = files(live)
        until(page, "document.querySelector('.state').textContent === 'stopped'")
        for tab, shows in (("curves", ".curve canvas"), ("media", ".hint"), ("settings", ".settings tr")):
            page.click(f"[data-value={tab}]")
            page.wait_for_selector(f".panel {shows}")
        page.goto(f"{studio.origin}/#/")
        until(page, "[...document.querySelectorAll('tbody tr')].some(it => /live.*stopped/.test(it.textContent))")
        for what in ("config", "metrics", "media", "episodes", "episodes/0", "episodes/99999"):
            assert studio.ask("GET", f"/api/runs/{id_of(live)}/{what}")[0] in (200, 400)
    assert files(live) == left
    studio.stop()
    assert "CHANGED" not in studio.rest


def test_a_change_would_be_seen(tmp_path: Path) -> None:
    first = WATCHED.format(folder=str(tmp_path / "runs"))
    first += f"(__import__('pathlib').Path({str(tmp_path / 'runs')!r}) / 'x').mkdir(parents=True)"
    command = [sys.executable, "-c", first]
    assert "CHANGED os.mkdir" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
