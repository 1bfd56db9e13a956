"""A run with a world beside it, a studio as a process of its own, and ways to talk to it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from reverie.cli.main import main
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session

ROOT = Path(__file__).parents[2]
DOOM = ROOT / "weights" / "doom"
MICRO = ["--config.batch=2", "--config.length=4", "--config.horizon=2", "--config.units=8", "--config.depth=1"]
MICRO += ["--config.rssm.deter=16", "--config.rssm.hidden=8", "--config.rssm.stoch=2", "--config.rssm.classes=4"]
MICRO += ["--config.rssm.blocks=2", "--config.experience.environments=2", "--config.experience.train-ratio=2"]
MICRO += ["--config.experience.dispatch=1"]


@pytest.fixture(scope="session")
def shelf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one finished run."""
    folder = tmp_path_factory.mktemp("studio")
    line = ["train", "dreamer3", "CartPole-v1", "--steps", "120", "--run", str(folder / "cartpole"), *MICRO]
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

    def __init__(self, folder: Path, home: Path, port: int = 0) -> None:
        self.folder, self.home = folder, home
        environment = os.environ | {"XDG_CACHE_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "reverie.cli.main", "studio", str(folder), "--port", str(port)]
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/open\?token=([\w-]+)", line)
        assert found, line
        self.link, self.port, self.token = found[0], int(found[1]), found[2]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.cookie = ""

    def enter(self) -> str:
        """The cookie, for the token."""
        status, headers, _ = self.ask("GET", f"/open?token={self.token}", cookie="")
        assert status == 303, (status, headers)
        self.cookie = headers["set-cookie"].split(";")[0]
        return self.cookie

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
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"} | ({"Cookie": cookie} if cookie else {})
        lines |= {"Content-Length": str(len(body))} if body or method == "POST" else {}
        lines |= headers or {}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with socket.create_connection(("127.0.0.1", self.port), 30) as there:
            there.sendall(head.encode("latin-1") + b"\r\n" + body)
            answer = b""
            while piece := there.recv(65536):
                answer += piece
        first, _, rest = answer.partition(b"\r\n\r\n")
        status, *fields = first.decode("latin-1").split("\r\n")
        pairs = [field.partition(": ") for field in fields]
        return int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, rest

    def talk(self, run: str, **more: Any) -> ClientConnection:
        """A WebSocket that plays a run."""
        headers = {"Cookie": self.cookie, "Origin": self.origin}
        return connect(
            f"ws://127.0.0.1:{self.port}/ws/{run}", additional_headers=headers, compression=None, max_size=None,
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
        if self.process.stdout:
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


@pytest.fixture
def served_from(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Studios of other folders."""
    begun: list[Served] = []

    def serve(folder: Path, home: Path | None = None, port: int = 0) -> Served:
        begun.append(Served(folder, home or tmp_path_factory.mktemp("home"), port))
        return begun[-1]

    yield serve
    for served in begun:
        served.stop()
