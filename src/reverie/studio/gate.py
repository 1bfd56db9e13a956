"""One gate in front of every route: nothing is answered that has not passed it, and nothing is listed twice.

    Host      one of ours, exactly: a name that was rebound to this machine is none                           421
    Origin    there, and ours, on every WebSocket and everything but GET and HEAD; where it is there, ours      403
    head      of at most so many fields and bytes                                                               431
    cookie    of the owner or of a viewer; got once, for a token that the terminal printed                      401
    viewer    looks and plays, and asks for nothing else                                                        403
    body      of at most so many bytes, and only with our own header, which no other site's page can send      413, 403

Open to everybody who passes the first two: `OPEN`. Every answer carries the same headers; none of them is of CORS.
Decisions look at `scope["path"]` alone. Free of jax.
"""

import hashlib
import hmac
import re
import secrets
import time
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from reverie.data import durable
from reverie.run import compilation
from reverie.studio.address import Answers

OWNER, VIEWER = "owner", "viewer"
OPEN = {"/healthz", "/open"}
"""Paths that need no cookie."""
OURS = b"x-reverie"
"""The header that whatever changes something has to carry."""
AGE = 30 * 24 * 3600
"""Seconds that a cookie is good for."""
BODY = 64 * 2**20
"""Bytes of a request, at most; routes ask for less."""
HEAD = {"fields": 64, "bytes": 16 * 1024}
"""Of a request, at most."""
WATCHING = re.compile(r"/api/plays/[0-9]+/(png|webp|mp4|log|moment)")
"""What a viewer may ask for that is no GET: what is downloaded, and to go to a moment that was kept."""
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cache-control": "no-store",
}
LOCKED = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Reverie</title><h1>This studio is somebody's</h1>"
    "<p>Open it with the link that <code>reverie studio</code> or <code>reverie play</code> printed. It works once; "
    "start the command again for another.</p></html>"
)


class Keys:
    """Tokens that open once, and the cookies that they are exchanged for.

    Args:
        port: of the server; cookies know no ports, so their names do.
        key: that the owner's are signed with; the user's own if not given, so that they outlive a restart.
        viewers: tokens for others; their cookies end with the server.
    """

    def __init__(self, port: int, key: bytes | None = None, viewers: int = 0) -> None:
        self.cookie = f"reverie-{port}"
        self.token = secrets.token_urlsafe(32)
        """Good for one exchange."""
        self.viewers = tuple(secrets.token_urlsafe(32) for _ in range(viewers))
        """The same, for those who watch and play."""
        self._unused = {self.token: OWNER} | dict.fromkeys(self.viewers, VIEWER)
        self._key = {OWNER: key or user_key(), VIEWER: secrets.token_bytes(32)}

    def exchange(self, token: str) -> str | None:
        """A cookie for a token, once."""
        given = token.encode(errors="replace")
        right = [it for it in self._unused if hmac.compare_digest(given, it.encode())]
        if not right:
            return None
        role = self._unused.pop(right[0])
        said = f"{role}.{int(time.time())}.{secrets.token_urlsafe(16)}"
        return f"{said}.{self._sign(role, said)}"

    def role(self, cookie: str) -> str | None:
        """Whose a cookie is; None of one that is none of ours, or no longer good."""
        said, _, signature = cookie.rpartition(".")
        role, _, rest = said.partition(".")
        if role not in self._key or not hmac.compare_digest(
            signature.encode(errors="replace"), self._sign(role, said).encode()
        ):
            return None
        begun = rest.partition(".")[0]
        return role if begun.isdecimal() and 0 <= time.time() - int(begun) + 60 <= AGE else None

    def _sign(self, role: str, said: str) -> str:
        what = f"{self.cookie}.{said}".encode(errors="replace")
        return hmac.new(self._key[role], what, hashlib.sha256).hexdigest()


class Gate:
    """The application, behind the gate.

    Args:
        app: what is behind it.
        names: those that are ours.
        keys: who may pass.
    """

    def __init__(self, app: Any, names: Answers, keys: Keys) -> None:
        self._app, self.keys = app, keys
        self._hosts, self._origins = ({it.encode() for it in found} for found in (names.hosts, names.origins))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        status = self._refusal(scope)
        if status:
            await _refuse(scope, send, status)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Any) -> int:
        """0, or the status with which a request is turned away."""
        headers = scope["headers"]
        hosts, origins = (_all(headers, name) for name in (b"host", b"origin"))
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if len(origins) > 1 or (origins and origins[0] not in self._origins) or (changes and not origins):
            return 403
        if origins and origins[0].partition(b"://")[2] != hosts[0].lower():
            return 403
        foreign = _all(headers, b"sec-fetch-site") == [b"cross-site"]
        if foreign and _all(headers, b"sec-fetch-mode") != [b"navigate"]:
            return 403
        if len(headers) > HEAD["fields"] or _size(scope) > HEAD["bytes"]:
            return 431
        if scope["path"] in OPEN and not changes:
            return 0
        role = self.keys.role(cookie_of(headers, self.keys.cookie))
        if role is None:
            return 401
        if scope["type"] == "http" and changes:
            if _all(headers, OURS) != [b"1"]:
                return 403
            if role != OWNER and not (scope["method"] == "POST" and WATCHING.fullmatch(scope["path"])):
                return 403
            lengths = _all(headers, b"content-length")
            if any(not it.isdigit() or len(it) > 12 or int(it) > BODY for it in lengths):
                return 413
        return 0


def cookie_of(headers: list[tuple[bytes, bytes]], name: str) -> str:
    """The value of a cookie; empty where it is not there, or there twice."""
    found = []
    for line in _all(headers, b"cookie"):
        try:
            jar = SimpleCookie(line.decode("latin-1"))
        except CookieError:
            return ""
        found += [jar[name].value] if name in jar else []
    return found[0] if len(found) == 1 else ""


def token_of(query: bytes) -> str:
    """The token in the address."""
    values = parse_qs(query.decode("latin-1")).get("token", [])
    return values[0] if len(values) == 1 else ""


def user_folder() -> Path:
    """What this user keeps that belongs to no run."""
    return compilation.folder().parent / "studio"


def user_key(folder: Path | None = None) -> bytes:
    """The key of this user: 32 random bytes that nobody else can read, made when first needed."""
    folder = folder or user_folder()
    path = folder / "key"
    if not path.is_file() or path.stat().st_size != 32:
        durable.make_folder(folder)
        folder.chmod(0o700)  # before anything is in it
        durable.write(path, secrets.token_bytes(32))
        path.chmod(0o600)
    return path.read_bytes()


def _all(headers: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _size(scope: Any) -> int:
    """Bytes of a head."""
    address = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
    return address + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


async def _refuse(scope: Any, send: Any, status: int) -> None:
    body = LOCKED.encode() if status == 401 else b""
    fields = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    fields += [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{kind}.start", "status": status, "headers": fields})
    await send({"type": f"{kind}.body", "body": b"" if scope.get("method") == "HEAD" else body})


def _with_headers(send: Any) -> Any:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            more = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in given]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return sent


def _limited(receive: Any) -> Any:
    """A body of more than `BODY` bytes ends like one whose sender went away."""
    total = 0

    async def received() -> Any:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        return {"type": "http.disconnect"} if total > BODY else message

    return received
