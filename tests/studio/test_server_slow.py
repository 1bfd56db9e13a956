"""Heads that are too large, and viewers that acknowledge nothing: let go, to nobody's cost."""

import json
from pathlib import Path
from typing import Any

import pytest
from studio.browser import DOOM
from websockets.exceptions import ConnectionClosed

SOON = "import reverie.studio.host as a, reverie.studio.server as b; a.STALLED = b.STALLED = 1.0"


def test_who_acknowledges_nothing_is_let_go_and_others_play_on(served_from: Any, shelf_folder: Path) -> None:
    fresh = served_from(shelf_folder, first=SOON)
    fresh.enter()
    with fresh.talk(DOOM) as playing, fresh.talk(DOOM) as silent:
        got, seen, code = 0, 0, None
        while code is None or seen < 20:
            message = playing.recv(120)
            if isinstance(message, bytes):
                seen += 1
                playing.send(json.dumps({"type": "ack", "frame": int.from_bytes(message[8:12], "little")}))
            try:
                got += code is None and isinstance(silent.recv(0), bytes)
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 0
        assert code == 1013
        assert got == 2


@pytest.mark.parametrize(
    ("count", "size", "status"), [(50, 10, 200), (63, 10, 431), (1000, 10, 431), (1, 15_000, 200), (1, 17_000, 431)]
)
def test_a_head_has_an_end(count: int, size: int, status: int, studio: Any) -> None:
    """Where it comes in several pieces the reader of HTTP gives up first, with 400."""
    headers = {f"X-{number}": "a" * size for number in range(count)}
    got = studio.ask("GET", "/healthz", headers=headers, cookie="")[0]
    assert got == status or (status == 431 and got == 400)


def test_an_address_has_an_end(studio: Any) -> None:
    assert studio.ask("GET", "/" + "a" * 17_000)[0] in (400, 431)
    assert studio.ask("GET", "/healthz?" + "a" * 70_000)[0] in (400, 431)
