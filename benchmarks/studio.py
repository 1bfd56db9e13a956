"""The studio on this machine: frames a second of those who play at once, and from a key to a changed picture.

Viewers are connections that acknowledge what they get at once; each plays a dream of `weights/doom` of its own, 64x64
pixels at 35 steps a second. The key is pressed in a real browser, where there is one: time runs from the event in the
page to the first picture, painted, of a step that was made with the key held.
"""

import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from reverie.run.runs import find
from reverie.studio import wire
from reverie.studio.shelf import id_of

SECONDS = 8.0
KEYS = 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DOOM = id_of(find("weights/doom"))


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    """`sizes` are of models that learn: these have learned."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "reverie.cli.main", "studio", folder, "--port", "0"]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)(/open\?token=[\w-]+)", process.stdout.readline())
            assert found
            port = int(found[1])
            cookie = _entered(port, found[2])
            try:
                rates = {f"{count} viewers, frames/s each": _watched(port, cookie, count) for count in (1, 4, 8)}
                return rates | {"from key to picture": _pressed(port, cookie)}
            finally:
                process.send_signal(signal.SIGINT)


def _entered(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    cookie = (connection.getresponse().getheader("set-cookie") or "").split(";")[0]
    connection.close()
    return cookie


def _watched(port: int, cookie: str, count: int) -> dict[str, float]:
    """The least and the mean of the viewers."""
    counts: list[float] = []
    threads = [threading.Thread(target=lambda: counts.append(_rate(port, cookie))) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"least": min(counts), "mean": statistics.mean(counts)}


def _rate(port: int, cookie: str) -> float:
    from websockets.sync.client import connect

    headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"}
    place = f"ws://127.0.0.1:{port}/ws/{DOOM}"
    with connect(place, additional_headers=headers, compression=None, proxy=None) as there:
        begun, frames = 0.0, 0
        while not begun or time.monotonic() - begun < SECONDS:
            message = there.recv(120)
            if isinstance(message, bytes):
                there.send(json.dumps({"type": "ack", "frame": wire.unpack(message).number}))
                frames += 1
                if frames == 40:  # all have begun by then, about
                    begun = time.monotonic()
            elif json.loads(message)["type"] == "over":
                there.send(json.dumps({"type": "play", "on": True}))
        return (frames - 40) / (time.monotonic() - begun)


def _pressed(port: int, cookie: str) -> dict[str, Any] | str:
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return f"none of {', '.join(BROWSERS)} is installed"
    from playwright.sync_api import sync_playwright

    name, _, value = cookie.partition("=")
    origin = f"http://127.0.0.1:{port}"
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = opened.new_context(viewport={"width": 1280, "height": 860})
        context.add_cookies([{"name": name, "value": value, "url": origin}])
        page = context.new_page()
        page.goto(f"{origin}/#/play/{DOOM}")
        while not page.evaluate("Boolean(window.studio?.line?.length > 60)"):
            page.wait_for_timeout(50)
        for place in range(KEYS):
            if page.evaluate("studio.flags.over"):
                page.evaluate("studio.restart(true)")
            key = ("ArrowLeft", "ArrowRight")[place % 2]
            page.keyboard.down(key)
            page.wait_for_timeout(80 + 7 * (place % 11))
            page.keyboard.up(key)
            page.wait_for_timeout(60 + 5 * (place % 13))
        times = sorted(page.evaluate("studio.latencies"))
        rate = page.inner_text(".rate").split()[0]
        opened.close()
    quantile = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    return {"median ms": quantile(0.5), "95 % ms": quantile(0.95), "keys": len(times), "browser frames/s": float(rate)}
