"""Owners and viewers: every role, every route, every message; a viewer watches and plays, and leaves nothing behind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio.browser import DOOM
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from reverie.studio import wire

LOOKS = ["/", "/static/app.css", "/api/runs", f"/api/runs/{DOOM}/config", f"/api/runs/{DOOM}/metrics"]
LOOKS += [f"/api/runs/{DOOM}/media", f"/api/runs/{DOOM}/episodes", f"/api/runs/{DOOM}/episodes/0"]
LOOKS += [f"/api/runs/{DOOM}/episodes/0/rows/0", f"/api/runs/{DOOM}/snapshots"]
TAKES = ["png", "webp", "log", "moment"]
GIVES = ["experience", "share", "follow", "image"]
METHODS = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"]
SAYS: dict[str, dict[str, Any]] = {
    "ack": {"frame": 1}, "input": {"seq": 1, "held": []}, "play": {"on": False}, "step": {},
    "player": {"who": "random"}, "view": {"what": "dream"}, "eyes": {"on": False}, "speed": {"factor": 1.0},
    "temperature": {"value": 1.0}, "horizon": {"steps": 0}, "seek": {"moment": 0}, "tree": {}, "path": {}, "dials": {},
    "turn": {"dial": 0, "value": 0.0}, "begin": {"origin": "memory", "number": 0, "row": 0},
}  # fmt: skip
"""One message of each kind."""


@pytest.fixture(scope="module")
def shared(module_served: Any, shelf_folder: Path) -> Any:
    """A studio with two links for others; `cookies` has everybody's."""
    studio = module_served(shelf_folder, "--viewers", "2")
    owner = studio.enter()
    first, second = (studio.enter(token) for token in studio.viewers(2))
    studio.cookies = {"owner": owner, "viewer": first, "other viewer": second, "nobody": ""}
    return studio


@pytest.fixture
def kept(shared: Any) -> Iterator[None]:
    """What is in the folder does not change."""
    before = files(shared.folder)
    yield
    assert files(shared.folder) == before


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def ask(shared: Any, role: str, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    ours = {"Origin": shared.origin, "X-Reverie": "1"} if method != "GET" else {}
    status, _, answer = shared.ask(method, path, headers=ours, body=body, cookie=shared.cookies[role])
    return status, answer


def heard(there: ClientConnection) -> None:
    """Listens until there is nothing more."""
    for _ in range(2000):
        there.recv(30)


def welcomed(there: ClientConnection) -> dict[str, Any]:
    while True:
        message = there.recv(120)
        if isinstance(message, str) and (words := json.loads(message))["type"] == "welcome":
            return words


@pytest.mark.parametrize("role", ["owner", "viewer", "nobody"])
@pytest.mark.parametrize("path", LOOKS)
def test_looking(role: str, path: str, shared: Any, kept: None) -> None:
    assert ask(shared, role, "GET", path)[0] == (401 if role == "nobody" else 200)
    for method in METHODS:
        status = 401 if role == "nobody" else 403 if role == "viewer" else 405
        assert ask(shared, role, method, path)[0] == status, method


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_taking_and_giving(role: str, shared: Any, kept: None) -> None:
    """An owner's own are tried in `test_server`; here nothing that is handed in makes sense."""
    with shared.talk(DOOM, shared.cookies[role]) as there:
        words = welcomed(there)
        assert words["role"] == role
        plays = f"/api/plays/{words['play']}"
        for what in TAKES:
            assert ask(shared, role, "POST", f"{plays}/{what}", b"x")[0] == (400 if what == "moment" else 200)
        for what in ("follow", "image") if role == "owner" else GIVES:
            assert ask(shared, role, "POST", f"{plays}/{what}", b"x")[0] == (400 if role == "owner" else 403)
        for what in TAKES + GIVES:
            for method in METHODS[1:]:
                assert ask(shared, role, method, f"{plays}/{what}")[0] == (405 if role == "owner" else 403)


@pytest.mark.parametrize("role", ["owner", "viewer", "other viewer"])
def test_a_play_is_its_beginners_alone(role: str, shared: Any, kept: None) -> None:
    with shared.talk(DOOM, shared.cookies[role]) as there:
        number = welcomed(there)["play"]
        for other in ("owner", "viewer", "other viewer"):
            for what in ("png", "log"):
                assert ask(shared, other, "POST", f"/api/plays/{number}/{what}")[0] == (200 if other == role else 400)
            with shared.talk(f"{DOOM}?play={number}", shared.cookies[other]) as joining:
                assert (welcomed(joining)["play"] == number) == (other == role)


@pytest.mark.parametrize("role", ["owner", "viewer"])
def test_every_message_plays(role: str, shared: Any, kept: None) -> None:
    assert SAYS.keys() == wire.MESSAGES.keys()
    with shared.talk(DOOM, shared.cookies[role]) as there:
        welcomed(there)
        for kind, fields in SAYS.items():
            there.send(json.dumps({"type": kind, **fields}))
        there.send(json.dumps({"type": "tree"}))
        kinds: list[str] = []
        while kinds.count("tree") < 2:
            message = there.recv(60)
            kinds += [json.loads(message)["type"]] if isinstance(message, str) else []
        assert "dials" in kinds


@pytest.mark.parametrize("kind", ["delete", "upload", "save", "role", "experience", "share", "shell"])
def test_no_message_does_more(kind: str, shared: Any, kept: None) -> None:
    for role in ("owner", "viewer"):
        with shared.talk(DOOM, shared.cookies[role]) as there:
            welcomed(there)
            there.send(json.dumps({"type": kind}))
            with pytest.raises(ConnectionClosed) as closed:
                heard(there)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008


def test_a_viewers_cookie_ends_with_the_studio(shared: Any, served_from: Any, shelf_folder: Path) -> None:
    again = served_from(shelf_folder, "--viewers", "1", home=shared.home)
    values = {role: cookie.partition("=")[2] for role, cookie in shared.cookies.items()}
    for role in ("owner", "viewer"):  # cookies are a port's; what is signed says which
        assert again.ask("GET", "/api/runs", cookie=f"reverie-{again.port}={values[role]}")[0] == 401
    port = shared.port
    again.stop()
    shared.stop()
    third = served_from(shelf_folder, "--viewers", "1", home=shared.home, port=port)
    got = [third.ask("GET", "/api/runs", cookie=shared.cookies[role])[0] for role in ("owner", "viewer")]
    assert got == [200, 401]
