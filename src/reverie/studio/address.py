"""Where the studio listens, and the names under which it answers.

    this machine     127.0.0.1 or [::1], and `localhost`: http alone, with the port it listens to
    names given      `box.example:9000` as it is; `box.example` with the port it listens to, and with none; of http and
                     of https, as a proxy that speaks TLS may stand before it

A `Host` is one of these or none of ours: a name that somebody lets point to this machine is not. Free of jax.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass

from reverie.errors import UserError

HERE = "127.0.0.1"
NAME = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
"""A name or an address as browsers write it, and a port."""


@dataclass(frozen=True)
class Answers:
    """What the studio takes for itself."""

    hosts: frozenset[str]
    """As browsers write them, `127.0.0.1:8710`."""
    origins: frozenset[str]
    """The same with a scheme, `http://127.0.0.1:8710`."""

    link: str
    """The beginning of an address that leads here."""


def answers(host: str, port: int, names: tuple[str, ...] = ()) -> Answers:
    """For a studio that listens to `host`; `UserError` where a name is none, or no name is left."""
    given = [name.lower() for name in names]
    for name in given:
        if not NAME.fullmatch(name):
            raise UserError(
                f"--allow-host: {name!r} is no name; give what stands in the address between :// and the next slash, "
                "as studio.example.org or localhost:9000."
            )
    ported = [name if name.rpartition(":")[2].isdecimal() else f"{name}:{port}" for name in given]
    others = {*given, *ported}
    own = {written("localhost", port)} if host in (HERE, "::1") else set[str]()
    if not ipaddress.ip_address(host).is_unspecified:
        own.add(written(host, port))
    elif not given:
        raise UserError(f"--host {host} has no name of its own; say with --allow-host under which it is to answer.")
    first = written(host, port) if own else ported[0]
    origins = {f"http://{it}" for it in own | others} | {f"https://{it}" for it in others}
    return Answers(frozenset(own | others), frozenset(origins), f"http://{first}")


def written(host: str, port: int) -> str:
    """A host as browsers write it: without the port that http has anyway."""
    host = f"[{host}]" if ":" in host else host
    return host if port == 80 else f"{host}:{port}"


def checked(host: str, *, asked: bool) -> str:
    """The address to listen to; one that others reach too only where that was asked for."""
    host = HERE if host == "localhost" else host
    try:
        where = ipaddress.ip_address(host)
    except ValueError as error:
        raise UserError(f"--host: {host!r} is no address; 127.0.0.1 and ::1 are this machine.") from error
    if not where.is_loopback and not asked:
        raise UserError(
            f"--host {host} lets others on the network in: whoever reads along gets the cookie, and the studio runs "
            "as you. Reach it by `ssh -L` instead, or put a proxy with TLS before it (--allow-host). If this is what "
            "you want, say --i-know too."
        )
    return str(where)


def bound(port: int, host: str = HERE) -> socket.socket:
    """A socket that listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # said, so that asyncio sends at once
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((host, port))
        found.listen(128)  # from here on who comes too early waits
    except OSError as error:
        found.close()
        raise UserError(
            f"port {port} of {host} is taken, or not ours ({error.strerror}). Another studio may be running; choose "
            "another with --port, or any free one with --port 0.", code=74,
        ) from error  # fmt: skip
    return found
