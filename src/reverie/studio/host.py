"""The server's side of the stages: starts their processes, hands words down, and frames up to whoever watches.

A stage is one process for one run; all who play or watch it share it. Nothing here blocks the server's loop: words go
down through a thread of their own, and come up through another. A viewer is a slot for the newest frame, at most two
frames under way, and a short list of words that are never dropped: a slow or stalled one costs nobody anything.
"""

import asyncio
import itertools
import multiprocessing
import os
import queue
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reverie.errors import UserError
from reverie.studio import stage
from reverie.studio.wire import Frame

UNDERWAY = 2
"""Frames that a viewer may not have acknowledged."""
WORDS = 64
"""Words that may wait for a viewer."""
HELD = 60.0
"""Seconds that a play without viewers is kept for one who comes back."""
STALLED = 30.0
"""Seconds without an acknowledgement, or in one sending, after which a viewer is let go."""
PATIENCE = 300.0
"""Seconds for a stage to load, or to answer."""
STAGES = 4
PLAYS = 32
"""At once, at most."""


class Viewer:
    """One connection, as the plays see it."""

    def __init__(self) -> None:
        self.words: deque[dict[str, Any]] = deque()
        self.gone = False
        """Whether words overflowed: it is to be let go."""
        self.acknowledged = time.monotonic()
        self._frame: Frame | None = None
        self._underway: set[int] = set()
        self._news = asyncio.Event()

    def say(self, words: dict[str, Any]) -> None:
        """To be sent, in order."""
        self.gone |= len(self.words) >= WORDS
        self.words.append(words)
        self._news.set()

    def show(self, frame: Frame) -> None:
        """Instead of the one that was not sent yet."""
        self._frame = frame.after(self._frame)
        self._news.set()

    def acknowledge(self, number: int) -> None:
        """That it was painted."""
        self._underway.discard(number)
        self.acknowledged = time.monotonic()
        self._news.set()

    def frame(self) -> Frame | None:
        """The next to be sent, if one may be."""
        if self._frame is None or len(self._underway) >= UNDERWAY:
            return None
        found, self._frame = self._frame, None
        if not self._underway:
            self.acknowledged = time.monotonic()
        self._underway.add(found.number)
        return found

    @property
    def is_stalled(self) -> bool:
        return bool(self._underway) and time.monotonic() - self.acknowledged > STALLED

    async def news(self, seconds: float) -> None:
        """Waits until there is something, or so long."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return
        self._news.clear()


@dataclass
class Place:
    """A play, and who watches it."""

    stage: "Loaded"
    whose: str
    """The cookie of who began it: nobody else joins or asks."""
    viewers: set[Viewer] = field(default_factory=set)
    left: float = 0.0
    """When the last of them went."""


class Loaded:
    """A stage's process."""

    def __init__(self, run: Path, environment: str | None, folder: Path, heard: Any) -> None:
        self.run, self._heard = run, heard
        self.about: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.about.add_done_callback(lambda it: it.exception())  # told to whoever waits; nobody need
        self.alive = True
        self._loop = asyncio.get_running_loop()
        self._down: queue.SimpleQueue[Any] = queue.SimpleQueue()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe(duplex=True)
        arguments = (theirs, str(run), environment, str(folder), os.getpid())
        self.process = context.Process(target=stage.main, args=arguments, name="reverie-stage", daemon=True)
        self.process.start()
        theirs.close()
        for work in (self._send, self._receive):
            threading.Thread(target=work, daemon=True).start()

    def say(self, *words: Any) -> None:
        self._down.put(words)

    def end(self) -> None:
        self.alive = False
        self._down.put(None)
        self.process.kill()

    def _send(self) -> None:
        while (words := self._down.get()) is not None:
            try:
                self._pipe.send(words)
            except OSError:
                return

    def _receive(self) -> None:
        try:
            while True:
                words = self._pipe.recv()
                self._loop.call_soon_threadsafe(self._heard, self, words)
        except (EOFError, OSError):
            text = f"the process that played {self.run.name} has ended; its last words are in the terminal."
            try:
                self._loop.call_soon_threadsafe(self._heard, self, ("gone", text))
            except RuntimeError:  # the server has ended too
                return


class Host:
    """All stages and plays of a server.

    Args:
        folder: where experience is kept.
        environment: of runs in classes of the user's own: that class's name.
    """

    def __init__(self, folder: Path, environment: str | None = None) -> None:
        self._folder, self._environment = folder, environment
        self._stages: dict[Path, Loaded] = {}
        self.plays: dict[int, Place] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._requests = itertools.count()

    async def stage(self, run: Path) -> Loaded:
        """The stage of a run, loaded; `UserError` says why it cannot be."""
        if run not in self._stages:
            if len(self._stages) >= STAGES:
                self._make_room()
            self._stages[run] = Loaded(run, self._environment, self._folder, self._hear)
        found = self._stages[run]
        await asyncio.wait_for(asyncio.shield(found.about), PATIENCE)
        return found

    def join(self, found: Loaded, viewer: Viewer, number: int | None, seed: int, whose: str) -> int:
        """Watch a play that is there, or begin another; its number."""
        known = None if number is None else self.plays.get(number)
        if number is None or known is None or known.stage is not found or known.whose != whose:
            left = sorted((place.left, number) for number, place in self.plays.items() if not place.viewers)
            if len(self.plays) >= PLAYS and left:
                self._drop(left[0][1])
            if len(self.plays) >= PLAYS:
                raise UserError(f"{PLAYS} plays are going on, and more are not allowed at once. Close some.")
            number = secrets.randbelow(2**31)
            self.plays[number] = Place(found, whose)
            found.say("open", number, seed)
        place = self.plays[number]
        place.viewers.add(viewer)
        found.say("watch", number, len(place.viewers))
        return number

    def leave(self, number: int, viewer: Viewer) -> None:
        """A viewer has gone."""
        place = self.plays.get(number)
        if place is not None:
            place.viewers.discard(viewer)
            place.left = time.monotonic()
            place.stage.say("watch", number, len(place.viewers))

    def say(self, number: int, message: dict[str, Any]) -> None:
        """What a viewer says to its play."""
        if number in self.plays:
            self.plays[number].stage.say("say", number, message)

    async def ask(self, number: int, whose: str, what: str, argument: Any = None) -> Any:
        """Something of a play that takes a while."""
        if number not in self.plays or self.plays[number].whose != whose:
            raise UserError("this play is over.")
        request = next(self._requests)
        answer = self._answers[request] = asyncio.get_running_loop().create_future()
        self.plays[number].stage.say("ask", request, number, what, argument)
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except asyncio.CancelledError as error:
            raise UserError("the studio is ending.") from error
        finally:
            del self._answers[request]

    async def tidy(self) -> None:
        """Ends what nobody has watched for a while; for ever."""
        while True:
            await asyncio.sleep(5)
            for number, place in list(self.plays.items()):
                if not place.viewers and time.monotonic() - place.left > HELD:
                    self._drop(number)

    def close(self) -> None:
        for found in self._stages.values():
            found.end()

    def _drop(self, number: int) -> None:
        self.plays.pop(number).stage.say("close", number)

    def _make_room(self) -> None:
        busy = {place.stage for place in self.plays.values()}
        idle = [run for run, found in self._stages.items() if found not in busy]
        if not idle:
            raise UserError(f"{STAGES} runs are being played, and more are not loaded at once. Close one.")
        self._stages.pop(idle[0]).end()

    def _hear(self, found: Loaded, words: tuple[Any, ...]) -> None:
        """What came up from a stage."""
        kind, *rest = words
        if kind == "ready" and not found.about.done():
            found.about.set_result(rest[0])
        elif kind in ("fault", "gone"):
            self._end(found, rest[0])
        elif kind == "answer" and rest[0] in self._answers and not self._answers[rest[0]].done():
            _, right, answer = rest
            future = self._answers[rest[0]]
            future.set_result(answer) if right else future.set_exception(UserError(answer))
        elif kind in ("tell", "frame") and rest[0] in self.plays:
            for viewer in self.plays[rest[0]].viewers:
                viewer.say(rest[1]) if kind == "tell" else viewer.show(rest[1])

    def _end(self, found: Loaded, text: str) -> None:
        """A stage could not begin, or has ended."""
        if not found.about.done():
            found.about.set_exception(UserError(text))
        if self._stages.get(found.run) is found:
            del self._stages[found.run]
        for number, place in list(self.plays.items()):
            if place.stage is found:
                del self.plays[number]
                for viewer in place.viewers:
                    viewer.say({"type": "ended", "text": text})
        found.end()
