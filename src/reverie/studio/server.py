"""The studio's server: a page, JSON about runs, and one WebSocket for each who plays. Free of jax.

    GET  /  /static/NAME  /healthz  /open?token=...
    GET  /api/runs  /api/runs/ID/(config|metrics|media|media/N|snapshots|episodes|episodes/K|episodes/K/rows/T)
    GET  /api/dreams/ID/K/ID@STEP,ID@STEP...      a film: who watches episode K of the first, and dreams on
    POST /api/plays/N/(png|webp|mp4|log|experience|share|follow|moment|image)
    WS   /ws/ID

All of it is behind the `gate`, which lets viewers download and no more; a play is its beginner's alone (by the cookie).
Models are in processes of their own (`host`, `stage`). Runs go by ids (`shelf`).
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from reverie.errors import UserError
from reverie.studio import dreams, pictures, wire
from reverie.studio.dreams import Films
from reverie.studio.gate import AGE, HEAD, Gate, Keys, cookie_of, token_of
from reverie.studio.host import STALLED, Host, Viewer
from reverie.studio.patience import Patient
from reverie.studio.shelf import Shelf

PORT = 8710
STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
KEPT = {"png": "image/png", "webp": "image/webp", "mp4": "video/mp4", "log": "application/json"}
RATE = 120.0
"""Messages of a connection per second, on average."""
CONNECTIONS = {"cookie": 16, "all": 64}
"""At once, at most."""
LOG_BYTES = 32 * 2**20
GIVING = 60.0
"""Seconds for somebody to hand something in."""


class Studio:
    """The application's parts.

    Args:
        shelf: the runs.
        host: the plays.
        keys: who may enter.
        films: of dreams side by side.
    """

    def __init__(self, shelf: Shelf, host: Host, keys: Keys, films: Films) -> None:
        self.shelf, self.host, self.keys, self.films = shelf, host, keys, films
        self._connections: dict[str, int] = {}

    def app(self) -> Starlette:
        """All routes; not to be served without the gate."""
        runs, plays = "/api/runs", "/api/plays/{play:int}"
        table: list[tuple[str, Callable[..., Any]]] = [
            (runs, lambda _: self.shelf.entries()),
            (f"{runs}/{{run}}/config", lambda at: self.shelf.config(at["run"])),
            (f"{runs}/{{run}}/metrics", lambda at: self.shelf.metrics(at["run"])),
            (f"{runs}/{{run}}/media", lambda at: self.shelf.media(at["run"])),
            (f"{runs}/{{run}}/snapshots", lambda at: self.shelf.snapshots(at["run"])),
            (f"{runs}/{{run}}/episodes", lambda at: self.shelf.episodes(at["run"])),
            (f"{runs}/{{run}}/episodes/{{episode:int}}", lambda at: self.shelf.episode(at["run"], at["episode"])),
        ]
        routes: list[Any] = [Route(path, _json(function)) for path, function in table]
        routes += [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            Route("/healthz", self.health),
            Route("/open", self.open),
            Route(f"{runs}/{{run}}/media/{{number:int}}", self.medium),
            Route(f"{runs}/{{run}}/episodes/{{episode:int}}/rows/{{row:int}}", self.row),
            Route("/api/dreams/{run}/{episode:int}/{shown}", self.dreams),
            *(Route(f"{plays}/{what}", self.keep(what), methods=["POST"]) for what in KEPT),
            *(Route(f"{plays}/{what}", self.ask(what), methods=["POST"]) for what in ("experience", "share")),
            Route(f"{plays}/follow", self.give("follow", LOG_BYTES), methods=["POST"]),
            Route(f"{plays}/moment", self.give("moment", 64), methods=["POST"]),
            Route(f"{plays}/image", self.give("image", pictures.BYTES), methods=["POST"]),
            WebSocketRoute("/ws/{run}", self.play),
        ]
        app = Starlette(routes=routes, lifespan=self._living)
        app.router.redirect_slashes = False  # an address is one of ours, or none
        app.add_exception_handler(UserError, self._explained)
        return app

    @contextlib.asynccontextmanager
    async def _living(self, _: Any) -> AsyncIterator[None]:
        tidying = asyncio.create_task(self.host.tidy())
        yield
        tidying.cancel()
        self.host.close()

    async def page(self, _: Request) -> Response:
        return FileResponse(STATIC / "index.html", media_type=TYPES[".html"])

    async def static(self, request: Request) -> Response:
        """One of the files that are there: a name is looked up, not joined to a path."""
        files = {path.name: path for path in STATIC.iterdir() if path.suffix in TYPES}
        found = files.get(request.path_params["name"])
        if found is None:
            return Response("there is no such file\n", 404)
        return FileResponse(found, media_type=TYPES[found.suffix], headers={"cache-control": "no-cache"})

    async def health(self, _: Request) -> Response:
        return Response("well\n", media_type="text/plain")

    async def open(self, request: Request) -> Response:
        """The token for a cookie, and on to an address without it."""
        cookie = self.keys.exchange(token_of(request.scope["query_string"]))
        if cookie is None:
            return Response("this link was used already, or is another server's\n", 401, media_type="text/plain")
        to = request.query_params.get("to", "")
        known = await run_in_threadpool(self.shelf.paths)
        answer = RedirectResponse(f"/#/play/{to}" if to in known else "/", 303)
        answer.set_cookie(self.keys.cookie, cookie, max_age=AGE, path="/", httponly=True, samesite="strict")
        return answer

    async def medium(self, request: Request) -> Response:
        at = request.path_params
        path, kind = await run_in_threadpool(self.shelf.medium, at["run"], at["number"])
        return FileResponse(path, media_type=kind)

    async def row(self, request: Request) -> Response:
        at = request.path_params
        found = await run_in_threadpool(self.shelf.picture, at["run"], at["episode"], at["row"])
        content, width, height = found
        raw = len(content) == width * height * 3
        kind = "application/octet-stream" if raw else "image/jpeg"
        return Response(content, media_type=kind, headers={"x-width": str(width), "x-height": str(height)})

    async def dreams(self, request: Request) -> Response:
        at = request.path_params
        shown = await run_in_threadpool(dreams.asked, at["shown"], self.shelf.path)
        of = await run_in_threadpool(self.shelf.path, at["run"])
        return Response(await self.films.film(of, at["episode"], shown), media_type="image/webp")

    def keep(self, what: str) -> Callable[[Request], Awaitable[Response]]:
        """What is downloaded."""

        async def kept(request: Request) -> Response:
            found = await self._ask(request, what)
            content = json.dumps(found).encode() if what == "log" else found
            name = "reverie-play.json" if what == "log" else f"reverie-play.{what}"
            attached = {"content-disposition": f'attachment; filename="{name}"'}
            return Response(content, media_type=KEPT[what], headers=attached)

        return kept

    def ask(self, what: str) -> Callable[[Request], Awaitable[Response]]:
        """What stays on this machine."""

        async def asked(request: Request) -> Response:
            return JSONResponse(await self._ask(request, what))

        return asked

    def give(self, what: str, most: int) -> Callable[[Request], Awaitable[Response]]:
        """What somebody hands in: a log to follow, an image to begin with."""

        async def given(request: Request) -> Response:
            content = bytearray()
            try:
                async with asyncio.timeout(GIVING):
                    async for piece in request.stream():
                        content += piece
                        if len(content) > most:
                            return JSONResponse({"error": f"at most {most:,} bytes"}, 413)
            except TimeoutError:
                return JSONResponse({"error": f"at most {GIVING:.0f} seconds"}, 408, {"connection": "close"})
            return JSONResponse(await self._ask(request, what, bytes(content)))

        return given

    async def _explained(self, _: Request, error: Exception) -> Response:
        return JSONResponse({"error": self.shelf.hushed(str(error))}, 400)

    async def _ask(self, request: Request, what: str, argument: Any = None) -> Any:
        """Of a play that is the asker's own."""
        cookie = cookie_of(request.scope["headers"], self.keys.cookie)
        return await self.host.ask(request.path_params["play"], cookie, what, argument)

    async def play(self, socket: WebSocket) -> None:
        """One who plays: words and frames down, words up."""
        cookie = cookie_of(socket.scope["headers"], self.keys.cookie)
        await socket.accept()
        if self._connections.get(cookie, 0) >= CONNECTIONS["cookie"] or self._count >= CONNECTIONS["all"]:
            await socket.close(1013, "too many connections")
            return
        self._connections[cookie] = self._connections.get(cookie, 0) + 1
        viewer, number = Viewer(), None
        try:
            run = await run_in_threadpool(self.shelf.path, socket.path_params["run"])
            await socket.send_json({"type": "loading", "run": run.name})
            found = await self.host.stage(run)
            asked = socket.query_params.get("play", "")
            number = self.host.join(found, viewer, int(asked) if asked.isdecimal() else None, 0, cookie)
            welcome = {"play": number, "resumed": asked == str(number), "role": self.keys.role(cookie)}
            viewer.say({"type": "welcome", **welcome, "about": found.about.result()})
            await _first_of(self._hear(socket, viewer, number), self._send(socket, viewer))
        except (UserError, TimeoutError) as error:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                text = self.shelf.hushed(str(error)) or "it took too long to load."
                await socket.send_json({"type": "ended", "text": text})
                await socket.close(4404)
        except (WebSocketDisconnect, RuntimeError, asyncio.CancelledError):  # it has gone, or the studio ends
            pass
        finally:
            self._connections[cookie] -= 1
            if number is not None:
                self.host.leave(number, viewer)

    @property
    def _count(self) -> int:
        return sum(self._connections.values())

    async def _hear(self, socket: WebSocket, viewer: Viewer, number: int) -> None:
        loop, bucket = asyncio.get_running_loop(), 2 * RATE
        then = loop.time()
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            now = loop.time()
            bucket, then = min(2 * RATE, bucket + (now - then) * RATE) - 1, now
            text = message.get("text")
            if text is None or bucket < 0:
                await socket.close(1003 if text is None else 1008)
                return
            try:
                words = wire.read(text)
            except ValueError:
                await socket.close(1008)
                return
            if words["type"] == "ack":
                viewer.acknowledge(words["frame"])
            else:
                self.host.say(number, words)

    async def _send(self, socket: WebSocket, viewer: Viewer) -> None:
        while not viewer.gone and not viewer.is_stalled:
            while viewer.words:
                words = viewer.words.popleft()
                words = words | ({"text": self.shelf.hushed(words["text"])} if "text" in words else {})
                await asyncio.wait_for(socket.send_text(json.dumps(words, allow_nan=False)), STALLED)
            frame = viewer.frame()
            if frame is not None:
                await asyncio.wait_for(socket.send_bytes(frame.pack()), STALLED)
            await viewer.news(1.0)
        await socket.close(1013, "too slow")


def _json(function: Callable[[Any], Any]) -> Callable[[Request], Awaitable[Response]]:
    """A route that reads files, in a thread."""

    async def answer(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(function, request.path_params))

    return answer


async def _first_of(*works: Any) -> None:
    """Runs them until one is done; then all are."""
    tasks = [asyncio.create_task(work) for work in works]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


def serve(app: Gate, listening: socket.socket) -> None:
    """Until it is interrupted."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, http=Patient,
        ws="websockets-sansio", ws_max_size=wire.LARGEST, ws_max_queue=32, ws_ping_interval=20, ws_ping_timeout=20,
        ws_per_message_deflate=False, h11_max_incomplete_event_size=HEAD["bytes"], timeout_keep_alive=5,
        timeout_graceful_shutdown=2, lifespan="on",
    )  # fmt: skip
    logging.getLogger("uvicorn.error").addFilter(lambda record: "Cancel %s running" not in str(record.msg))
    uvicorn.Server(config).run(sockets=[listening])
