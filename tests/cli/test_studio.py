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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--i-know"),
        (["--host", "::"], "--i-know"),
        (["--host", "192.168.1.5"], "ssh -L"),
        (["--host", "0.0.0.0", "--i-know"], "--allow-host"),
        (["--host", "evil.com", "--i-know"], "no address"),
        (["--allow-host", "http://evil.com"], "no name"),
        (["--viewers", "17"], "0 to 16"),
        (["--viewers", "-1"], "0 to 16"),
    ],
)
def test_others_are_let_in_only_in_clear_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert main(["studio", *words]) == 2
    assert said in capsys.readouterr().err


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


def test_links_for_others_are_printed_too(here: Path) -> None:
    command = [sys.executable, "-m", "reverie.cli.main", "play", "weights/doom", "--port", "0", "--viewers", "2"]
    command += ["--host", "127.0.0.2", "--allow-host", "dream.example"]
    environment = os.environ | {"XDG_CACHE_HOME": str(here), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.send_signal(signal.SIGINT)
        process.wait(30)
    links = re.findall(r"http://127\.0\.0\.2:\d+/open\?token=([\w-]{43})&to=\w+", "".join(lines))
    assert len(set(links)) == 3
    assert "this machine alone" in lines[1]


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
