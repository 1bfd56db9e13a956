"""Who trickles, or opens too many connections, costs himself his sockets, and nobody else anything."""

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from studio.browser import DOOM

SOON = "import reverie.studio.patience as it; it.PATIENCE = 0.5"
FEW = "import reverie.studio.patience as it; it.PATIENCE, it.MOST = 60.0, 8"


@pytest.fixture(scope="module")
def hasty(module_served: Any, shelf_folder: Path) -> Any:
    """A studio that waits for half a second."""
    studio = module_served(shelf_folder, first=SOON)
    studio.enter()
    return studio


def trickled(there: socket.socket, piece: bytes) -> None:
    """Sends a little again and again, until the other end hangs up."""
    there.settimeout(0.1)
    for _ in range(600):
        try:
            there.sendall(piece)
            if there.recv(4096) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return
    raise AssertionError("it is still waited for")


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"", b""),
        (b"G", b""),
        (b"GET /healthz HTTP/1.1\r\n", b"X"),
        (b"GET /healthz HTTP/1.1\r\nHost: HERE\r\nX-Slow: ", b"a"),
        (b"POST /api/runs HTTP/1.1\r\nHost: HERE\r\nContent-Length: 9000000\r\n\r\n", b"a"),
        (b"POST /api/runs HTTP/1.1\r\nHost: HERE\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: HERE\r\n\r\nGET /hea", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: HERE\r\n\r\nGET /hea", b"l"),
    ],
)
def test_who_trickles_is_cut_off(begun: bytes, piece: bytes, hasty: Any) -> None:
    with socket.create_connection(hasty.address, 30) as there:
        there.sendall(begun.replace(b"HERE", f"{hasty.name}:{hasty.port}".encode()))
        trickled(there, piece)


def test_two_hundred_who_trickle_cost_nobody_else_anything(hasty: Any) -> None:
    """Whoever plays meanwhile goes on, and whoever asks is answered, while all of them are connected."""
    with contextlib.ExitStack() as held, hasty.talk(DOOM) as playing:
        playing.recv(120)
        slow = [held.enter_context(socket.create_connection(hasty.address, 30)) for _ in range(200)]
        for there in slow:
            there.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert hasty.ask("GET", "/api/runs")[0] == 200
        frames = 0
        while frames < 20:
            message = playing.recv(60)
            if isinstance(message, bytes):
                frames += 1
                playing.send(json.dumps({"type": "ack", "frame": int.from_bytes(message[8:12], "little")}))
        for there in slow:
            trickled(there, b"x")
        assert hasty.ask("GET", "/healthz")[0] == 200


def test_who_asks_and_asks_is_not_cut_off(hasty: Any) -> None:
    request = f"GET /healthz HTTP/1.1\r\nHost: {hasty.name}:{hasty.port}\r\n\r\n".encode()
    with socket.create_connection(hasty.address, 30) as there:
        for _ in range(50):
            there.sendall(request)
            answer = b""
            while not answer.endswith(b"well\n"):
                piece = there.recv(4096)
                assert piece
                answer += piece


def test_a_websocket_is_not_cut_off(hasty: Any) -> None:
    with hasty.talk(DOOM) as there:
        for _ in range(60):
            message = there.recv(120)
            if isinstance(message, bytes):
                there.send(json.dumps({"type": "ack", "frame": int.from_bytes(message[8:12], "little")}))


def test_more_connections_than_there_may_be_are_not_taken(served_from: Any, shelf_folder: Path) -> None:
    fresh = served_from(shelf_folder, first=FEW)
    request = f"GET /healthz HTTP/1.1\r\nHost: {fresh.name}:{fresh.port}\r\n\r\n".encode()
    with contextlib.ExitStack() as held:
        held_open = [held.enter_context(socket.create_connection(fresh.address, 30)) for _ in range(8)]
        with socket.create_connection(fresh.address, 30) as one_more, contextlib.suppress(ConnectionError):
            one_more.sendall(request)
            assert one_more.recv(4096) == b""
        held_open[0].sendall(request)
        assert b" 200 " in held_open[0].recv(4096)
    assert fresh.ask("GET", "/healthz")[0] == 200
