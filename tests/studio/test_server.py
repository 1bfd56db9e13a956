"""A studio that listens: every route behind the gate, and viewers that cannot harm each other."""

import contextlib
import json
import random
import socket
import stat
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from reverie.run.runs import find
from reverie.studio import server, wire
from reverie.studio.dreams import Films
from reverie.studio.gate import OPEN, Keys
from reverie.studio.host import Host
from reverie.studio.shelf import Shelf, id_of

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
REVIEWED = {
    *("/", "/static/{name}", "/healthz", "/open", "/ws/{run}", "/api/runs", "/api/runs/{run}/config"),
    *("/api/runs/{run}/metrics", "/api/runs/{run}/media", "/api/runs/{run}/media/{number:int}"),
    *("/api/runs/{run}/snapshots", "/api/dreams/{run}/{episode:int}/{shown}"),
    *("/api/runs/{run}/episodes", "/api/runs/{run}/episodes/{episode:int}"),
    "/api/runs/{run}/episodes/{episode:int}/rows/{row:int}",
    *(f"/api/plays/{{play:int}}/{what}" for what in ("png", "webp", "mp4", "log", "experience", "share")),
    *(f"/api/plays/{{play:int}}/{what}" for what in ("follow", "moment", "image")),
}
"""Every route there is: another one is added here when somebody has looked at it."""
DOOM = id_of(find("weights/doom"))


def routes() -> list[Any]:
    nowhere = Path("nowhere")
    return server.Studio(Shelf(nowhere), Host(nowhere), Keys(1, b"k" * 32), Films()).app().routes


def filled(path: str) -> str:
    """A route's path with something in every place."""
    values = {"{run}": DOOM, "{name}": "app.css", "{number:int}": "0", "{episode:int}": "0", "{row:int}": "0"}
    for place, value in (values | {"{play:int}": "1", "{shown}": f"{DOOM}@0"}).items():
        path = path.replace(place, value)
    assert "{" not in path
    return path


PATHS = sorted(filled(path) for path in REVIEWED)


def test_every_route_was_looked_at() -> None:
    assert {route.path for route in routes()} == REVIEWED
    assert all(isinstance(route, Route | WebSocketRoute) for route in routes())  # no mounts
    assert OPEN <= REVIEWED


@pytest.mark.parametrize("path", [*PATHS, "/nowhere", "/static/../gate.py", "//", "/api"])
def test_without_a_cookie_nothing_is_answered(path: str, studio: Any) -> None:
    ours = {"Origin": studio.origin, "X-Reverie": "1"}
    for method in METHODS:
        status, headers, body = studio.ask(method, path, headers=ours, cookie="")
        is_open = path in OPEN and method in ("GET", "HEAD")
        assert status in ((200, 401) if is_open else (401,)), (method, path)
        assert not [name for name in headers if name.startswith("access-control")]
        assert "content-security-policy" in headers
        assert is_open or b"cartpole" not in body


@pytest.mark.parametrize("path", PATHS)
def test_with_a_cookie_another_host_or_origin_is_not_answered(path: str, studio: Any) -> None:
    for method in METHODS:
        assert studio.ask(method, path, headers={"Host": "evil.com", "Origin": studio.origin})[0] == 421
        assert studio.ask(method, path, headers={"Origin": "http://evil.com", "X-Reverie": "1"})[0] == 403
        if method not in ("GET", "HEAD"):
            assert studio.ask(method, path)[0] == 403
            assert studio.ask(method, path, headers={"Origin": studio.origin})[0] == 403


def test_websockets_are_behind_it_too(studio: Any) -> None:
    place = f"ws://127.0.0.1:{studio.port}/ws/{DOOM}"
    right = {"Cookie": studio.cookie, "Origin": studio.origin}
    wrong = [({"Origin": studio.origin}, 401), (right | {"Cookie": "a=b"}, 401), ({"Cookie": studio.cookie}, 403)]
    wrong += [(right | {"Origin": origin}, 403) for origin in ("null", "http://evil.com", "http://127.0.0.1:1")]
    for headers, status in wrong:
        with pytest.raises(InvalidStatus) as refused:
            connect(place, additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == status


def test_a_link_opens_once_and_leaves_no_token_behind(serving: Any) -> None:
    fresh = serving()
    path = f"/open?token={fresh.token}&to={DOOM}"
    status, headers, _ = fresh.ask("GET", path, cookie="")
    assert (status, headers["location"]) == (303, f"/#/play/{DOOM}")
    cookie = headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert headers["referrer-policy"] == "no-referrer"
    assert fresh.ask("GET", path, cookie="")[0] == 401
    assert fresh.ask("GET", "/", cookie=headers["set-cookie"].split(";")[0])[0] == 200
    key = fresh.home / "reverie" / "studio" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    fresh.stop()


def test_it_goes_nowhere_else(serving: Any) -> None:
    fresh = serving()
    for target in ("//evil.com", "https://evil.com", "/etc", "x" * 500):
        again = fresh.ask("GET", f"/open?token=wrong&to={target}", cookie="")
        assert again[0] == 401
    status, headers, _ = fresh.ask("GET", f"/open?token={fresh.token}&to=//evil.com", cookie="")
    assert (status, headers["location"]) == (303, "/")
    fresh.stop()


def test_the_page_and_its_parts_come_from_here_and_are_small(studio: Any) -> None:
    import gzip

    names = sorted(path.name for path in server.STATIC.iterdir())
    total = 0
    for name in ["", *(f"static/{name}" for name in names)]:
        status, headers, body = studio.ask("GET", f"/{name}")
        assert status == 200
        assert headers["content-type"].split(";")[0] in server.TYPES.values()
        total += len(gzip.compress(body))
        urls = [part for part in body.replace(b"http://www.w3.org/2000/svg", b"").split(b'"') if b"://" in part]
        assert not [url for url in urls if not url.startswith((b"ws://${", b"`"))] or b"location.host" in body
        assert b"innerHTML" not in body
        assert b"eval(" not in body
    assert total < 150_000


def test_looking_at_runs(studio: Any) -> None:
    status, _, body = studio.ask("GET", "/api/runs")
    runs = {entry["run"]: entry for entry in json.loads(body)}
    assert status == 200
    assert runs.keys() == {"cartpole", "doom"}
    cart = runs["cartpole"]["id"]
    for path in ("config", "metrics", "media", "episodes", "episodes/0"):
        assert studio.ask("GET", f"/api/runs/{cart}/{path}")[0] == 200
    status, headers, body = studio.ask("GET", f"/api/runs/{DOOM}/episodes/0/rows/0")
    assert (headers["x-width"], len(body)) == ("64", 64 * 64 * 3)
    assert studio.ask("GET", f"/api/runs/{cart}/episodes/99999")[0] == 400


# ------------------------------------------------------------------------------------------------------------- playing


def welcomed(there: ClientConnection) -> dict[str, Any]:
    """Reads until the play has begun."""
    while True:
        message = there.recv(120)
        if isinstance(message, str) and (words := json.loads(message))["type"] == "welcome":
            return words


def framed(there: ClientConnection, count: int, seconds: float = 60) -> list[wire.Frame]:
    """So many frames, acknowledged."""
    found, until = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        message = there.recv(seconds)
        if isinstance(message, bytes):
            found.append(wire.unpack(message))
            there.send(json.dumps({"type": "ack", "frame": found[-1].number}))
    return found


def test_a_dream_is_played(studio: Any) -> None:
    with studio.talk(DOOM) as there:
        about = welcomed(there)
        assert about["about"]["run"] == "doom"
        frames = framed(there, 10)
        assert len({frame.panes[0].content for frame in frames}) > 5
        there.send(json.dumps({"type": "input", "seq": 41, "held": ["0.1"]}))
        assert 41 in [frame.input for frame in framed(there, 15)]
        moments = [int(row[0]) for frame in frames for row in frame.rows]
        assert moments == list(range(len(moments)))  # every step's numbers, once, in order
        status, headers, body = studio.ask(
            "POST", f"/api/plays/{about['play']}/png", headers={"Origin": studio.origin, "X-Reverie": "1"}
        )
        assert (status, body[:4]) == (200, b"\x89PNG")
        assert "attachment" in headers["content-disposition"]


def test_who_comes_back_finds_the_play_as_it_was(studio: Any) -> None:
    with studio.talk(DOOM) as there:
        play = welcomed(there)["play"]
        moment = framed(there, 3)[-1].moment
        there.send(json.dumps({"type": "play", "on": False}))
    headers = {"Cookie": studio.cookie, "Origin": studio.origin}
    place = f"ws://127.0.0.1:{studio.port}/ws/{DOOM}?play={play}"
    with connect(place, additional_headers=headers, compression=None, proxy=None) as there:
        words = welcomed(there)
        assert (words["play"], words["resumed"]) == (play, True)
        assert framed(there, 1)[0].moment >= moment


def test_who_acknowledges_nothing_gets_two_frames(studio: Any) -> None:
    with studio.talk(DOOM) as there:
        welcomed(there)
        got = 0
        until = time.monotonic() + 3
        while time.monotonic() < until:
            try:
                got += isinstance(there.recv(0.5), bytes)
            except TimeoutError:
                break
        assert got == 2


def test_an_unknown_run_is_said_and_closed(studio: Any) -> None:
    with studio.talk("0" * 16) as there:
        assert json.loads(there.recv(10))["type"] == "ended"
        with pytest.raises(ConnectionClosed):
            there.recv(10)


class Raw:
    """A WebSocket that can send anything."""

    def __init__(self, studio: Any) -> None:
        self.socket = socket.create_connection(("127.0.0.1", studio.port), 30)
        head = (
            f"GET /ws/{DOOM} HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nOrigin: {studio.origin}\r\n"
            f"Cookie: {studio.cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        assert b" 101 " in self.socket.recv(4096)

    def send(self, first: int, payload: bytes, *, masked: bool = True, length: int | None = None) -> bool:
        """Whether the other end still took it."""
        size = len(payload) if length is None else length
        head = bytes([first]) + (
            bytes([size | 128 * masked]) if size < 126
            else bytes([126 | 128 * masked]) + struct.pack(">H", size) if size < 65536
            else bytes([127 | 128 * masked]) + struct.pack(">Q", size)
        )  # fmt: skip
        mask = b"\1\2\3\4" if masked else b""
        body = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if masked else payload
        try:
            self.socket.sendall(head + mask + body)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.socket.close()


def malformed(dice: random.Random) -> tuple[int, bytes, dict[str, Any]]:
    """First byte, payload and how it is sent."""
    junk = dice.randbytes(dice.randrange(0, 200))
    text = json.dumps(dice.choice([
        {"type": dice.choice(["seek", "input", "ack", "shell"]), "moment": dice.choice([-1, 2**70, 1.5, None, "0"])},
        {"type": "input", "seq": dice.choice([-5, "x", 10**30]), "held": dice.choice([[], {}, ["a"] * 50, "0.1"])},
        {"type": "temperature", "value": dice.choice(["hot", -1, 1e9])}, [], None, 3, "text", {"type": {"type": {}}},
    ])).encode()  # fmt: skip
    return dice.choice([
        (0x81, text, {}), (0x81, junk, {}), (0x82, junk, {}), (0x81, b"\xff\xfe\xc0\x80", {}), (0x83, junk, {}),
        (0x8B, junk[:100], {}), (0xF1, text, {}), (0x81, text, {"masked": False}), (0x01, text, {}), (0x80, junk, {}),
        (0x89, b"x" * 126, {}), (0x81, b'{"a":' * 3000, {}), (0x81, b"x", {"length": 2**62}), (0x81, b"[" * 15000, {}),
        (0x88, b"\x03", {}), (0x81, b'{"type":"speed","factor":NaN}', {}), (0x81, b" " * 20000, {}),
    ])  # fmt: skip


def resident(process: int) -> int:
    """Bytes of memory that a process has."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.slow
def test_a_thousand_malformed_messages_leave_another_viewer_undisturbed(studio: Any) -> None:
    """The other one goes on watching; every connection that said nonsense is closed, and the memory stays."""
    dice, sent = random.Random(20), 0
    with studio.talk(DOOM) as watching:
        welcomed(watching)
        framed(watching, 30)
        quiet = rhythm(watching, 4.0)
        has_status = Path("/proc/self/status").exists()
        before = resident(studio.process.pid) if has_status else 0
        found: list[list[float]] = []
        watcher = threading.Thread(target=lambda: found.append(rhythm(watching, 8.0)))
        watcher.start()
        while sent < 1000:
            raw = Raw(studio)
            for _ in range(25):
                first, payload, how = malformed(dice)
                sent += 1
                if not raw.send(first, payload, **how):
                    break
            raw.close()
        watcher.join()
        after = rhythm(watching, 3.0)
        assert len(after) > 10
        assert len(found[0]) / 8 > 0.5 * len(quiet) / 4
        if has_status:
            assert resident(studio.process.pid) - before < 20 * 2**20
    assert studio.ask("GET", "/healthz")[0] == 200


def ending(there: ClientConnection, says: tuple[str | bytes, ...] = ()) -> int | None:
    """The code with which a connection ends; None where it just breaks."""
    try:
        for words in says:
            there.send(words)
        for _ in range(2000):
            there.recv(30)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    raise AssertionError("it goes on")


def rhythm(there: ClientConnection, seconds: float) -> list[float]:
    """Seconds between frames, for so long."""
    until, gaps, last = time.monotonic() + seconds, [], time.monotonic()
    while time.monotonic() < until:
        framed(there, 1)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
    return gaps


@pytest.mark.parametrize(
    ("text", "code"),
    [('{"type":"seek"}', 1008), ("nonsense", 1008), (b"\0\1", 1003), ('{"type":"step"}' + " " * 20000, 1009)],
)
def test_what_may_not_be_said_ends_the_connection(text: str | bytes, code: int, studio: Any) -> None:
    with studio.talk(DOOM) as there:
        welcomed(there)
        assert ending(there, (text,)) == code


def test_who_says_too_much_is_let_go(studio: Any) -> None:
    with studio.talk(DOOM) as there:
        welcomed(there)
        assert ending(there, ('{"type":"tree"}',) * 3000) in (None, 1008, 1013)
    assert studio.ask("GET", "/healthz")[0] == 200


def test_connections_are_counted(serving: Any) -> None:
    fresh = serving()
    fresh.enter()
    for _ in range(3):  # an unknown run: each is closed, and counts no more
        with fresh.talk("0" * 16) as one:
            assert ending(one) == 4404
    with contextlib.ExitStack() as held:
        for _ in range(server.CONNECTIONS["cookie"]):
            held.enter_context(fresh.talk(DOOM))
        with fresh.talk(DOOM) as one_more:
            assert ending(one_more) == 1013
    fresh.stop()


def test_eight_who_play_get_the_same(studio: Any) -> None:
    """How many frames a second that is says `python -m benchmarks studio`, on a machine that does nothing else."""
    counts: list[int] = []
    with contextlib.ExitStack() as held:
        there = [held.enter_context(studio.talk(DOOM)) for _ in range(8)]
        for one in there:
            welcomed(one)
            framed(one, 2)
        watchers = [threading.Thread(target=lambda one=one: counts.append(len(rhythm(one, 4.0)))) for one in there]
        for watcher in watchers:
            watcher.start()
        for watcher in watchers:
            watcher.join()
    assert min(counts) > 0.7 * max(counts)
    assert min(counts) > 4


def test_a_body_of_the_wrong_kind_is_refused_and_a_right_one_taken(studio: Any) -> None:
    with studio.talk(DOOM) as there:
        play = welcomed(there)["play"]
        ours = {"Origin": studio.origin, "X-Reverie": "1"}
        for what, body in (("image", b"no image"), ("follow", b"{}"), ("moment", b"../../x")):
            status, _, answer = studio.ask("POST", f"/api/plays/{play}/{what}", headers=ours, body=body)
            assert status == 400
            assert json.loads(answer)["error"]
        large = studio.ask("POST", f"/api/plays/{play}/moment", headers=ours, body=b"x" * 100)
        assert large[0] == 413
        _, _, kept = studio.ask("POST", f"/api/plays/{play}/log", headers=ours)
        status, _, answer = studio.ask("POST", f"/api/plays/{play}/follow", headers=ours, body=kept)
        assert (status, json.loads(answer)["differs"]) == (200, None)
