"""`reverie studio` and `reverie play`: what is wrong is said before anything listens."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from reverie.cli.main import main
from reverie.run.runs import find
from reverie.studio.shelf import id_of


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["studio", "--port", str(port)]) == 74
    assert "--port" in capsys.readouterr().err


def test_a_port_that_is_none(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main(["studio", "--port", "70000"]) == 2
    assert "65535" in capsys.readouterr().err


def test_a_run_that_is_none(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main(["play", "nothing"]) == 2
    assert "No run 'nothing'" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    assert main(["play", "weights/doom"]) == 78
    assert 'pip install ".[studio]"' in capsys.readouterr().err


@pytest.mark.parametrize("words", [["studio", "--port", "0"], ["play", "weights/doom", "--port", "0"]])
def test_it_serves_until_it_is_interrupted(words: list[str], here: Path) -> None:
    command = [sys.executable, "-m", "reverie.cli.main", *words]
    environment = os.environ | {"XDG_CACHE_HOME": str(here), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.search(r"http://127\.0\.0\.1:\d+/open\?token=[\w-]{43}", line)
        assert line.rstrip().endswith(f"&to={id_of(find('weights/doom'))}") == (words[0] == "play")
        port = int(re.findall(r":(\d+)/", line)[0])
        with socket.create_connection(("127.0.0.1", port), 30) as there:
            there.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            assert b" 200 " in there.recv(100)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130, -2)
