"""A run with a world beside it, a studio as a process of its own, and ways to talk to it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from studio.browser import FOUND, entered, is_here
from websockets.sync.client import ClientConnection, connect

from reverie.cli.main import main
from reverie.run.run import EVERY
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session

ROOT = Path(__file__).parents[2]
DOOM = ROOT / "weights" / "doom"
MICRO = ["--config.batch=2", "--config.length=4", "--config.horizon=2", "--config.units=8", "--config.depth=1"]
MICRO += ["--config.rssm.deter=16", "--config.rssm.hidden=8", "--config.rssm.stoch=2", "--config.rssm.classes=4"]
MICRO += ["--config.rssm.blocks=2", "--config.experience.environments=2", "--config.experience.train-ratio=2"]
MICRO += ["--config.experience.dispatch=1"]
START = "from reverie.cli.main import main\nraise SystemExit(main())"
"""The command line, after something else was done in its process."""


@pytest.fixture(scope="session")
def shelf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run, of which snapshots were kept early."""
    folder = tmp_path_factory.mktemp("studio")
    line = ["train", "dreamer3", "CartPole-v1", "--steps", "120", "--run", str(folder / "cartpole"), *MICRO]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EVERY, "snapshot", 40)
        assert main(line) == 0
    return folder


@pytest.fixture
def micro() -> list[str]:
    """Flags of the smallest agent."""
    return MICRO


@pytest.fixture(scope="session")
def cartpole(shelf_folder: Path) -> Scenery:
    """A world of numbers, with reality."""
    return Scenery(str(shelf_folder / "cartpole"))


@pytest.fixture(scope="session")
def gaussian(tmp_path_factory: pytest.TempPathFactory) -> Scenery:
    """A world that is guessed with Gaussians, by a method that plans."""
    run = str(tmp_path_factory.mktemp("gaussian") / "planet")
    line = ["train", "planet", "Pendulum-v1", "--steps", "8", "--size", "nano", "--run", run]
    line += ["--config.rssm.deter=8", "--config.rssm.hidden=8", "--config.rssm.stoch=3", "--config.units=8"]
    assert main(line) == 0
    return Scenery(run)


@pytest.fixture(scope="session")
def doom() -> Scenery:
    """A world of pictures."""
    return Scenery(str(DOOM))


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def play(cartpole: Scenery, told: list[dict[str, Any]]) -> Session:
    """A play that goes on past the ends that an unlearned model sees everywhere."""
    return Session(cartpole, told.append)


class Served:
    """A studio that listens."""

    def __init__(
        self,
        folder: Path,
        home: Path,
        port: int = 0,
        *words: str,
        first: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
        where: Path | None = None,
    ) -> None:
        self.folder, self.home = folder, home
        environment = os.environ | {"XDG_CACHE_HOME": str(home), "PYTHONUNBUFFERED": "1"} | dict(environment)
        begin = ["-m", "reverie.cli.main"] if not first else ["-c", f"{first}\n{START}"]
        command = [sys.executable, *begin, "studio", str(folder), "--port", str(port), *words]
        self.process = subprocess.Popen(
            command,
            env=environment,
            cwd=where,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"(http://(\S+):(\d+))/open\?token=([\w-]+)", line)
        assert found, line
        self.link, self.origin, self.name, self.port, self.token = found[0], found[1], found[2], int(found[3]), found[4]
        self.address = (self.name.strip("[]"), self.port)
        self.cookie = self.rest = ""
        """The owner's; and what was printed after the link, once it has ended."""

    def enter(self, token: str = "") -> str:
        """The cookie, for a token; kept where it is the owner's."""
        status, headers, _ = self.ask("GET", f"/open?token={token or self.token}", cookie="")
        assert status == 303, (status, headers)
        cookie = headers["set-cookie"].split(";")[0]
        self.cookie = self.cookie if token else cookie
        return cookie

    def viewers(self, count: int) -> list[str]:
        """The tokens that are printed for others."""
        assert self.process.stdout is not None
        self.process.stdout.readline()
        return [self.process.stdout.readline().strip().partition("token=")[2] for _ in range(count)]

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        cookie: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer; sent as it is, however wrong it may be."""
        import socket

        cookie = self.cookie if cookie is None else cookie
        lines = {"Host": f"{self.name}:{self.port}", "Connection": "close"} | ({"Cookie": cookie} if cookie else {})
        lines |= {"Content-Length": str(len(body))} if body or method == "POST" else {}
        lines |= headers or {}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection(self.address, 30) as there:
            there.sendall(head.encode("latin-1") + b"\r\n" + body)
            answer = b""
            while piece := there.recv(65536):
                answer += piece
        first, _, rest = answer.partition(b"\r\n\r\n")
        status, *fields = first.decode("latin-1").split("\r\n")
        pairs = [field.partition(": ") for field in fields]
        return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, rest

    def talk(self, run: str, cookie: str = "", **more: Any) -> ClientConnection:
        """A WebSocket that plays a run."""
        headers = {"Cookie": cookie or self.cookie, "Origin": self.origin}
        return connect(
            f"ws://{self.name}:{self.port}/ws/{run}", additional_headers=headers, compression=None, max_size=None,
            open_timeout=60, proxy=None, **more,
        )  # fmt: skip

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout and not self.process.stdout.closed:
            self.rest = self.process.stdout.read()
            self.process.stdout.close()


@pytest.fixture(scope="session")
def serving(shelf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts studios; they end with the tests."""
    begun: list[Served] = []

    def serve(home: Path | None = None, port: int = 0) -> Served:
        begun.append(Served(shelf_folder, home or tmp_path_factory.mktemp("home"), port))
        return begun[-1]

    yield serve
    for served in begun:
        served.stop()


@pytest.fixture(scope="session")
def studio(serving: Callable[..., Served]) -> Served:
    """One for all who only look and play."""
    served = serving()
    served.enter()
    return served


def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    begun: list[Served] = []

    def serve(folder: Path, *words: str, home: Path | None = None, port: int = 0, **how: Any) -> Served:
        begun.append(Served(folder, home or tmp_path_factory.mktemp("home"), port, *words, **how))
        return begun[-1]

    yield serve
    for served in begun:
        served.stop()


served_from = pytest.fixture(_servers)
"""Studios of other folders."""
module_served = pytest.fixture(_servers, scope="module")
"""The same, until the tests of a file are done."""


# --------------------------------------------------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=FOUND, args=["--no-sandbox"])
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def context(browser: Browser, studio: Any) -> Iterator[BrowserContext]:
    context = entered(
        browser, studio, viewport={"width": 1280, "height": 900}, color_scheme="dark", accept_downloads=True
    )
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, studio: Any) -> Iterator[Page]:
    """A page whose every request stays here, and that complains of nothing."""
    page = context.new_page()
    elsewhere, complaints = [], []
    page.on("request", lambda it: elsewhere.append(it.url) if not is_here(it.url, studio) else None)
    page.on("console", lambda it: complaints.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda it: complaints.append(str(it)))
    yield page
    refused = page.evaluate("window.expected === true")
    page.close()
    assert elsewhere == []
    assert [it for it in complaints if "ERR_CONNECTION_REFUSED" not in it and "WebSocket" not in it][refused:] == []
