"""The gate: what does not pass is not answered; a token opens once; nobody else reads the key."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from studio import hostile

from reverie.studio import address, gate
from reverie.studio.gate import BODY, HEAD, HEADERS, OWNER, VIEWER, Gate, Keys

HOST = hostile.OURS
NAMES = address.answers("127.0.0.1", hostile.PORT)


class Inside:
    """What is behind the gate: notes that it was reached."""

    def __init__(self) -> None:
        self.reached = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.reached += 1
        if scope["type"] == "http":
            while (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"inside"})


@pytest.fixture
def keys() -> Keys:
    return Keys(8710, b"k" * 32, viewers=2)


@pytest.fixture
def cookie(keys: Keys) -> str:
    return f"{keys.cookie}={keys.exchange(keys.token)}"


@pytest.fixture
def viewing(keys: Keys) -> str:
    """A viewer's cookie."""
    return f"{keys.cookie}={keys.exchange(keys.viewers[0])}"


def ask(
    keys: Keys,
    method: str = "GET",
    path: str = "/",
    *,
    kind: str = "http",
    names: address.Answers = NAMES,
    **headers: str | list[str],
) -> tuple[int, Any]:
    """Status, and the headers of the answer; 0 where it was let through without one."""
    inside, sent = Inside(), []
    given = {"host": HOST} | headers
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in given.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {"type": kind, "method": method, "path": path, "headers": pairs, "query_string": b""}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Gate(inside, names, keys)(scope, receive, send))
    if not sent:
        assert inside.reached == 1
        return 0, {}
    assert inside.reached == (sent[0]["status"] == 200)
    return sent[0]["status"], dict(sent[0]["headers"])


ORIGIN = f"http://{HOST}"


def test_with_everything_in_order_one_passes(keys: Keys, cookie: str) -> None:
    assert ask(keys, cookie=cookie)[0] == 200
    assert ask(keys, cookie=f"other=1; {cookie}", origin=ORIGIN)[0] == 200
    assert ask(keys, "POST", cookie=cookie, origin=ORIGIN, x_reverie="1")[0] == 200
    assert ask(keys, kind="websocket", cookie=cookie, origin=ORIGIN)[0] == 0
    assert ask(keys, host="LOCALHOST:8710", cookie=cookie)[0] == 200


@pytest.mark.parametrize("host", hostile.hosts(hostile.PORT))
def test_another_host_is_none_of_ours(host: str, keys: Keys, cookie: str) -> None:
    for kind in ("http", "websocket"):
        assert ask(keys, kind=kind, host=host, cookie=cookie, origin=ORIGIN)[0] == 421
        assert ask(keys, kind=kind, host=host, cookie=cookie, origin=f"http://{host}")[0] == 421


def test_two_hosts_or_none(keys: Keys, cookie: str) -> None:
    assert ask(keys, host=[HOST, HOST], cookie=cookie)[0] == 421
    assert ask(keys, host=[], cookie=cookie)[0] == 421


@pytest.mark.parametrize("origin", [*hostile.origins(HOST), "http://localhost:8710"])
def test_another_origin_is_none_of_ours(origin: str, keys: Keys, cookie: str) -> None:
    for kind, method in (("http", "GET"), ("http", "POST"), ("http", "DELETE"), ("websocket", "GET")):
        assert ask(keys, method, kind=kind, cookie=cookie, origin=origin, x_reverie="1")[0] == 403
    assert ask(keys, cookie=cookie, origin=[ORIGIN, origin])[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
def test_whatever_changes_something_has_an_origin_and_our_header(method: str, keys: Keys, cookie: str) -> None:
    assert ask(keys, method, cookie=cookie, x_reverie="1")[0] == 403
    assert ask(keys, method, cookie=cookie, origin=ORIGIN)[0] == 403
    assert ask(keys, method, cookie=cookie, origin=ORIGIN, x_reverie="1")[0] == 200


def test_a_websocket_without_an_origin_does_not_pass(keys: Keys, cookie: str) -> None:
    assert ask(keys, kind="websocket", cookie=cookie)[0] == 403


def test_other_sites_may_link_here_and_no_more(keys: Keys, cookie: str) -> None:
    assert ask(keys, cookie=cookie, sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert ask(keys, cookie=cookie, sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200


def test_cookies_that_are_none(keys: Keys, cookie: str) -> None:
    name, _, value = cookie.partition("=")
    role, begun, nonce, signature = value.split(".")
    bad = ["", name, f"{name}=", f"{name}=..", f"{name}={value}0", f"{name}={value[:-1]}", f"other={value}"]
    bad += [f"{name}={role}.{int(begun) + 1}.{nonce}.{signature}", f"{name}={role}.é.{nonce}.{signature}"]
    bad += [f"{name}={other}.{begun}.{nonce}.{signature}" for other in (VIEWER, "", "admin")]
    bad += [f"{name}={begun}.{nonce}.{signature}", f"{name}={role}.{role}.{begun}.{nonce}.{signature}"]
    bad += [f"{name}={Keys(8711, b'k' * 32).exchange('')}", f"{name}={value}; {name}={value}x"]
    other, elsewhere = Keys(8710, b"x" * 32), Keys(8711, b"k" * 32)
    bad += [f"{name}={other.exchange(other.token)}", f"{name}={elsewhere.exchange(elsewhere.token)}"]
    assert [ask(keys, cookie=it)[0] for it in bad] == [401] * len(bad)
    assert ask(keys, cookie=[cookie, cookie])[0] == 401
    assert ask(keys)[0] == 401


def test_a_cookie_has_an_end(keys: Keys, cookie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now = gate.time.time()
    monkeypatch.setattr(gate.time, "time", lambda: now + gate.AGE + 120)
    assert ask(keys, cookie=cookie)[0] == 401
    monkeypatch.setattr(gate.time, "time", lambda: now - 3600)
    assert ask(keys, cookie=cookie)[0] == 401


def test_a_token_opens_once(keys: Keys) -> None:
    assert keys.exchange("") is None
    assert keys.exchange(keys.token + "x") is None
    cookie = keys.exchange(keys.token)
    assert cookie is not None
    assert keys.role(cookie) == OWNER
    assert keys.exchange(keys.token) is None
    assert len(keys.token) >= 43
    assert Keys(8710, b"k" * 32).token != keys.token


def test_viewers_have_links_of_their_own_which_end_with_the_server(keys: Keys) -> None:
    first, second = (keys.exchange(token) for token in keys.viewers)
    assert first is not None
    assert second is not None
    assert first != second
    assert [keys.role(first), keys.role(second)] == [VIEWER, VIEWER]
    assert keys.exchange(keys.viewers[0]) is None
    assert Keys(8710, b"k" * 32, viewers=2).role(first) is None
    assert keys.role(first.replace(VIEWER, OWNER)) is None
    assert keys.exchange(keys.token) is not None


def test_what_a_viewer_asks_for(keys: Keys, viewing: str) -> None:
    ours = {"cookie": viewing, "origin": ORIGIN, "x_reverie": "1"}
    for what in ("png", "webp", "mp4", "log", "moment"):
        assert ask(keys, "POST", f"/api/plays/7/{what}", **ours)[0] == 200
    for what in ("experience", "share", "follow", "image", "new", "png/", "", "log/../share", "png\n", "share?png"):
        assert ask(keys, "POST", f"/api/plays/7/{what}", **ours)[0] == 403
    for path in (
        "/",
        "/api/runs",
        "/api/plays/x/png",
        "/api/plays/\u0661/png",
        "//api/plays/7/png",
        "/api/plays/7/PNG",
    ):
        assert ask(keys, "POST", path, **ours)[0] == 403
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO", "post"):
        assert ask(keys, method, "/api/plays/7/png", **ours)[0] == 403
    assert ask(keys, "GET", "/api/runs", **ours)[0] == 200
    assert ask(keys, kind="websocket", path="/ws/x", **ours)[0] == 0


def test_a_head_that_is_too_large_is_turned_away(keys: Keys, cookie: str) -> None:
    many = {f"x_{number}": "1" for number in range(HEAD["fields"])}
    assert ask(keys, cookie=cookie, **many)[0] == 431
    assert ask(keys, cookie=cookie, **dict(list(many.items())[:-2]))[0] == 200
    assert ask(keys, cookie=cookie, x_long="x" * HEAD["bytes"])[0] == 431
    assert ask(keys, path="/" + "x" * HEAD["bytes"], cookie=cookie)[0] == 431
    assert ask(keys, cookie=cookie, x_long="x" * (HEAD["bytes"] - 600))[0] == 200


def test_a_name_that_was_given_answers_too_and_only_as_it_is(keys: Keys, cookie: str) -> None:
    names = address.answers("127.0.0.1", 8710, ("Dream.example", "localhost:9000"))
    for host in ("dream.example", "dream.example:8710", "localhost:9000", "127.0.0.1:8710"):
        for scheme in ("http", "https"):
            right = scheme == "http" or not host.startswith("127")
            got = ask(keys, "POST", names=names, host=host, cookie=cookie, origin=f"{scheme}://{host}", x_reverie="1")
            assert got[0] == (200 if right else 403)
    assert ask(keys, names=names, host="dream.example", cookie=cookie, origin="http://localhost:9000")[0] == 403
    for host in ("dream.example:9000", "x.dream.example", "dream.example.evil.com", "localhost:9001"):
        assert ask(keys, names=names, host=host, cookie=cookie)[0] == 421


def test_a_body_that_is_too_long_is_turned_away(keys: Keys, cookie: str) -> None:
    for length in (str(BODY + 1), "9" * 40, "-1", "x"):
        got = ask(keys, "POST", cookie=cookie, origin=ORIGIN, x_reverie="1", content_length=length)
        assert got[0] == 413


def test_a_body_that_hides_its_length_ends() -> None:
    pieces = iter([{"type": "http.request", "body": b"x" * (BODY // 2), "more_body": True}] * 4)

    async def receive() -> Any:
        return next(pieces)

    async def read() -> list[str]:
        limited = gate._limited(receive)
        return [(await limited())["type"] for _ in range(3)]

    assert asyncio.run(read()) == ["http.request", "http.request", "http.disconnect"]


@pytest.mark.parametrize("status", [200, 401, 403, 421])
def test_every_answer_has_the_headers(status: int, keys: Keys, cookie: str) -> None:
    given = {200: {"cookie": cookie}, 401: {}, 403: {"origin": "null"}, 421: {"host": "evil"}}[status]
    got, headers = ask(keys, **given)
    assert got == status
    assert {name.encode(): value.encode() for name, value in HEADERS.items()}.items() <= headers.items()
    assert not [name for name in headers if name.startswith(b"access-control")]
    assert b"unsafe" not in headers[b"content-security-policy"]


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "studio"
    key = gate.user_key(folder)
    assert len(key) == 32
    assert gate.user_key(folder) == key
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    (folder / "key").write_bytes(b"short")
    assert len(gate.user_key(folder)) == 32
