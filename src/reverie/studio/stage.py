"""The process in which one run is played: loads it once, and steps all its plays in turn.

    down   (open, N, seed)  (say, N, message)  (watch, N, viewers)  (close, N)  (ask, request, N, what, argument)
    up     (ready, about)  (fault, text)  (tell, N, message)  (frame, N, frame)  (answer, request, ok, what came of it)

A play is due when its world's clock says so; one that is late is not hurried, its clock is put back. A play that nobody
watches stands still. The process ends with the server.
"""

import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from reverie.envs.worker import end_with, leave_with
from reverie.errors import UserError
from reverie.run import compilation

REST = 30.0
"""Seconds to wait for words where nothing is due."""


class Play:
    """A session and its clock."""

    def __init__(self, session: Any) -> None:
        self.session, self.due, self.viewers = session, time.monotonic(), 1

    @property
    def period(self) -> float:
        return 1.0 / (self.session.scenery.fps * self.session.speed)

    @property
    def goes_on(self) -> bool:
        return self.session.playing and self.viewers > 0


class Stage:
    """All plays of a run.

    Args:
        scenery: the run.
        send: takes what goes up.
        folder: where experience is kept.
    """

    def __init__(self, scenery: Any, send: Callable[[tuple[Any, ...]], None], folder: Path) -> None:
        self._scenery, self._send, self._folder = scenery, send, folder
        self.plays: dict[int, Play] = {}

    def rest(self) -> float:
        """Seconds until something is due."""
        due = [play.due for play in self.plays.values() if play.goes_on]
        return max(0.0, min(due) - time.monotonic()) if due else REST

    def take(self, words: tuple[Any, ...]) -> None:
        """What came down."""
        kind, *rest = words
        getattr(self, f"_{kind}")(*rest)

    def go_on(self) -> None:
        """A step of every play that is due, and a frame of those that have something to show."""
        for number, play in list(self.plays.items()):
            now = time.monotonic()
            if play.goes_on and play.due <= now:
                play.session.tick()
                play.due = max(play.due + play.period, now)
            if play.session.dirty and play.viewers:
                self._send(("frame", number, play.session.frame()))

    def _open(self, number: int, seed: int) -> None:
        from reverie.studio.session import Session

        try:
            self.plays[number] = Play(Session(self._scenery, lambda it: self._send(("tell", number, it)), seed))
        except UserError as error:
            self._send(("tell", number, {"type": "trouble", "text": str(error)}))

    def _say(self, number: int, message: dict[str, Any]) -> None:
        if number in self.plays:
            play = self.plays[number]
            was = play.goes_on
            play.session.handle(message)
            if play.goes_on and not was:
                play.due = time.monotonic()

    def _watch(self, number: int, viewers: int) -> None:
        if number in self.plays:
            self.plays[number].viewers = viewers
            self.plays[number].due = time.monotonic()
            self.plays[number].session.handle({"type": "path"})

    def _close(self, number: int) -> None:
        self.plays.pop(number, None)

    def _ask(self, request: int, number: int, what: str, argument: Any) -> None:
        try:
            if number not in self.plays:
                raise UserError("this play is over.")
            answer = self._answer(self.plays[number].session, what, argument)
            self._send(("answer", request, True, answer))
        except UserError as error:
            self._send(("answer", request, False, str(error)))

    def _answer(self, session: Any, what: str, argument: Any) -> Any:
        from reverie.studio import keep, pictures

        if what == "png":
            return keep.still(session)
        if what in ("webp", "mp4"):
            return keep.film(session, what)
        if what == "log":
            return keep.log(session)
        if what == "experience":
            return keep.experience(session, self._folder)
        if what == "share":
            return {"moment": keep.share(session)}
        if what in ("follow", "moment"):
            go = keep.follow if what == "follow" else keep.shared
            followed = go(session, argument)
            return {"steps": len(session.timeline) - 1, **followed._asdict()}
        found = self._scenery.image
        if found is None:
            raise UserError("this model sees no pictures, so it cannot begin with one.")
        name, spec = found
        observation = {
            other: np.zeros(it.shape, it.dtype) for other, it in self._scenery.world.spaces.observation.items()
        }
        observation[name] = pictures.dropped(argument, spec)
        session.begin({"origin": "image", "number": 0, "row": 0}, observation)
        return {}


def main(connection: Connection, run: str, environment: str | None, folder: str, parent: int) -> None:
    """The process: loads the run, and plays until it is left alone."""
    leave_with(parent, False)
    threading.Thread(target=end_with, args=(connection.fileno(), parent), daemon=True).start()
    compilation.cache()
    try:
        from reverie.studio.scenery import Scenery
        from reverie.studio.session import Session

        scenery = Scenery(run, environment)
        Session(scenery, lambda _: None).handle({"type": "step"})  # compiled before anybody waits for it
    except UserError as error:
        connection.send(("fault", str(error)))
        return
    connection.send(("ready", scenery.to_json()))
    stage = Stage(scenery, connection.send, Path(folder))
    try:
        while True:
            if connection.poll(stage.rest()):
                while connection.poll():
                    stage.take(connection.recv())
            stage.go_on()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)
