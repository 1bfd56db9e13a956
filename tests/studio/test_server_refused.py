"""Other hosts, other origins and ways to other files, as bytes on a socket: none is answered."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio import hostile
from studio.browser import DOOM, cart_of

CANARY = b"only the owner of this machine should read this"
REFUSED = (400, 404, 405)


class Line:
    """One connection that is asked again and again."""

    def __init__(self, studio: Any) -> None:
        self.studio = studio
        self._there: socket.socket | None = None

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of an answer; 0 where the other end hung up."""
        lines = headers | ({"Content-Length": str(len(body))} if method == "POST" else {})
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        if self._there is None:
            self._there = socket.create_connection(self.studio.address, 30)
        self._there.sendall(head.encode("latin-1") + b"\r\n" + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self._there.recv(65536)
            if not piece:
                self.close()
                return 0, answer
            answer += piece
        first, _, rest = answer.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in first.split(b"\r\n")[1:])
        status, length = int(first.split()[1]), int(fields.get(b"content-length", b"-1"))
        while length < 0 or len(rest) < length:
            piece = self._there.recv(65536)
            if not piece:
                break
            rest += piece
        if length < 0 or fields.get(b"connection") == b"close" or status == 400:
            self.close()
        return status, rest

    def close(self) -> None:
        if self._there is not None:
            self._there.close()
        self._there = None


@pytest.fixture
def line(studio: Any) -> Iterator[Line]:
    line = Line(studio)
    yield line
    line.close()


def ours(studio: Any, **more: str) -> dict[str, str]:
    """Headers with which one passes."""
    right = {"Host": f"{studio.name}:{studio.port}", "Cookie": studio.cookie, "Origin": studio.origin, "X-Reverie": "1"}
    return right | {name.replace("_", "-"): value for name, value in more.items()}


UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
UPGRADE |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


def test_no_other_host_is_answered(studio: Any, line: Line) -> None:
    bad = hostile.hosts(studio.port)
    assert len(set(bad)) >= 60
    for host in bad:
        for origin in (studio.origin, f"http://{host}"):
            for path, more in (("/api/runs", {}), ("/healthz", {}), (f"/ws/{DOOM}", UPGRADE)):
                status, body = line.ask("GET", path, ours(studio, Host=host, Origin=origin) | more)
                assert status in (400, 421), (host, origin, path)
                assert b"cartpole" not in body


def test_two_hosts_and_none(studio: Any) -> None:
    right = f"Host: {studio.name}:{studio.port}\r\n"
    for hosts in ("", right * 2, right + "Host: evil.com\r\n", "Host: evil.com\r\n" + right):
        with socket.create_connection(studio.address, 30) as there:
            there.sendall(f"GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
            assert there.recv(100).split()[1] in (b"400", b"421")


def test_the_host_in_the_address_counts_for_nothing(studio: Any, line: Line) -> None:
    for target in ("http://evil.com/api/runs", f"{studio.origin}/api/runs", "//evil.com/api/runs"):
        assert line.ask("GET", target, ours(studio))[0] in REFUSED
        assert line.ask("GET", target, ours(studio, Host="evil.com"))[0] in (400, 421)


def test_no_other_origin_is_answered(studio: Any, line: Line) -> None:
    host = f"{studio.name}:{studio.port}"
    bad = [it for it in hostile.origins(host) if it.strip() != studio.origin]
    assert len(set(bad)) >= 40
    for origin in [*bad, f"http://localhost:{studio.port}"]:
        for method, path, more in (
            ("GET", "/api/runs", {}), ("POST", "/api/plays/1/png", {}), ("DELETE", "/api/runs", {}),
            ("GET", f"/ws/{DOOM}", UPGRADE),
        ):  # fmt: skip
            assert line.ask(method, path, ours(studio, Origin=origin) | more)[0] == 403, (origin, path)
    for method, path, more in (("POST", "/api/plays/1/png", {}), ("GET", f"/ws/{DOOM}", UPGRADE)):
        headers = {name: value for name, value in ours(studio).items() if name != "Origin"}
        assert line.ask(method, path, headers | more)[0] == 403


PLACES = [
    "/static/{}",
    *(f"/api/runs/{{}}/{what}" for what in ("config", "metrics", "media", "episodes", "snapshots")),
    *("/api/runs/RUN/media/{}", "/api/runs/RUN/episodes/{}", "/api/runs/RUN/episodes/0/rows/{}"),
    *("/api/runs/{}/media/0", "/api/runs/{}/episodes/0/rows/0"),
    *("/api/dreams/{}/0/RUN@0", "/api/dreams/RUN/{}/RUN@0", "/api/dreams/RUN/0/{}", "/api/dreams/RUN/0/RUN@0,{}@0"),
]
"""Wherever a path has a name, an id or a number."""


@pytest.fixture(scope="module")
def planted(studio: Any) -> Iterator[Path]:
    """A file beside the runs, and links to it where pictures are looked for."""
    canary = studio.folder.parent / "canary.png"
    canary.write_bytes(CANARY)
    media = studio.folder / "cartpole" / "media"
    media.mkdir()
    (media / "link.png").symlink_to(canary)
    yield canary
    for path in (media / "link.png", canary):
        path.unlink()
    media.rmdir()


@pytest.mark.parametrize("place", PLACES)
def test_no_name_leads_outside(place: str, studio: Any, line: Line, planted: Path) -> None:
    payloads = hostile.paths()
    assert len(payloads) >= 400
    for payload in payloads:
        path = place.replace("RUN", cart_of(studio)).format(payload)
        status, body = line.ask("GET", path, ours(studio))
        assert status in REFUSED, (path, status)
        assert not [it for it in (CANARY, b"root:", b"import ", str(studio.folder).encode()) if it in body], path


def test_no_play_and_no_moment_has_such_a_name(studio: Any, line: Line, planted: Path) -> None:
    with studio.talk(DOOM) as there:
        words = next(it for _ in range(50) if isinstance(it := there.recv(120), str) and "welcome" in it)
        number = int(words.partition('"play": ')[2].partition(",")[0])
        for payload in hostile.paths():
            assert line.ask("POST", f"/api/plays/{payload}/png", ours(studio))[0] in REFUSED, payload
        for payload in hostile.paths()[::5]:  # these go as far as the process that plays
            status, body = line.ask("POST", f"/api/plays/{number}/moment", ours(studio), payload.encode("latin-1"))
            assert status in (400, 413), payload
            assert CANARY not in body
    for payload in hostile.paths()[::40]:  # each is a WebSocket of its own
        status, _ = line.ask("GET", f"/ws/{payload}", ours(studio) | UPGRADE)
        assert status in (*REFUSED, 101, 403), payload
        line.close()
    assert studio.ask("GET", "/healthz")[0] == 200


def test_links_in_a_run_are_not_followed(studio: Any, planted: Path) -> None:
    run = cart_of(studio)
    for number in range(3):
        assert studio.ask("GET", f"/api/runs/{run}/media/{number}")[0] == 400
    elsewhere = planted.parent / "pictures"
    elsewhere.mkdir()
    os.link(planted, elsewhere / "other.png")
    media = studio.folder / "cartpole" / "media"
    media.rename(media.with_name("kept"))
    media.symlink_to(elsewhere)
    status, _, body = studio.ask("GET", f"/api/runs/{run}/media/0")
    media.unlink()
    media.with_name("kept").rename(media)
    assert status == 400
    assert CANARY not in body


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_the_other_loopback(served_from: Any, shelf_folder: Path) -> None:
    fresh = served_from(shelf_folder, "--host", "::1", "--allow-host", "dream.example")
    assert fresh.name == "[::1]"
    fresh.enter()
    assert fresh.ask("GET", "/api/runs")[0] == 200
    assert fresh.ask("GET", "/api/runs", headers={"Host": "dream.example"})[0] == 200
    for host in (f"127.0.0.1:{fresh.port}", "[::1]", f"[::]:{fresh.port}", f"[0:0:0:0:0:0:0:1]:{fresh.port}", "::1"):
        assert fresh.ask("GET", "/api/runs", headers={"Host": host})[0] == 421
    with fresh.talk(DOOM) as there:
        assert "loading" in str(there.recv(60))
