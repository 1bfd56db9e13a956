"""Controllers that play in the world: here, or side by side in processes with a model and worlds of their own.

What a controller scores is a function of its dice (`run.playing`): how many play at once changes the speed and nothing
else. A process keeps to one core. It says about every second that it goes on; one that dies, or says nothing for longer
than its deadline, is replaced, and its controller plays again. It ends with the trainer, however that ends.
"""

import contextlib
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory, name_of
from reverie.envs.pool import FRUITLESS
from reverie.envs.worker import end_with, leave_with
from reverie.errors import UserError
from reverie.evaluate.returns import Returns
from reverie.protocol import Trained
from reverie.run import compilation
from reverie.run.playing import play

log = logging.getLogger(__name__)
BEAT = 1.0
"""Seconds after which one that plays says so."""
TICK = 0.25
"""Seconds after which the trainer looks for signals."""

PIECE = 16
"""Episodes that are played at once, by one process; those of a controller that plays more are shared out."""

Task = tuple[np.ndarray, tuple[int, ...], int]
"""A controller's parameters, its dice, and how many episodes it plays."""
Stop = Callable[[], bool]


class Players:
    """So many processes, or none; a context manager.

    Args:
        trained: what plays, but for the parameters of its controller.
        environment, options: the world; importable by name.
        count: how many processes; 0: it is played here.
        deadline: seconds without a word after which one counts as hung: to compile and to open the world too.
    """

    def __init__(
        self, trained: Trained, environment: str | Factory, options: EnvironmentConfig, count: int, *,
        deadline: float = 300.0,
    ) -> None:  # fmt: skip
        self.count, self._deadline, self._world = count, deadline, name_of(environment)
        self._arguments = trained if not count else jax.tree.map(np.asarray, trained), environment, options
        self._players: list[_Player | None] = [None] * count

    def scores(
        self, parameters: np.ndarray, numbers: np.ndarray, episodes: int, *, seed: int, stop: Stop,
        count: Callable[[int], None],
    ) -> np.ndarray | None:  # fmt: skip
        """The mean return of each of these controllers [candidate, parameter]; None if `stop()` came first.

        Args:
            parameters: of the controllers.
            numbers: of each; controllers with the same number meet the same dice.
            episodes: that each plays.
            seed: of the run.
            stop: whether a signal came.
            count: is told how many steps were made.
        """
        pieces = [min(PIECE, episodes - begin) for begin in range(0, episodes, PIECE)]
        tasks: list[Task] = [
            (controller, (seed, int(number), piece), size)
            for controller, number in zip(parameters, numbers, strict=True)
            for piece, size in enumerate(pieces)
        ]
        found = self.play(tasks, stop)
        if found is None:
            return None
        count(sum(sum(returns.lengths) for returns in found))
        totals = np.array([sum(returns.returns) for returns in found]).reshape(len(parameters), len(pieces))
        return totals.sum(axis=1) / episodes

    def play(self, tasks: list[Task], stop: Stop) -> list[Returns] | None:
        """What each of these scores; None if `stop()` came first. Raises `UserError` where a world keeps failing."""
        if not self.count:
            return self._play_here(tasks, stop)
        waiting, found, failed = list(range(len(tasks)))[::-1], dict[int, Returns](), [0] * len(tasks)
        busy: dict[int, int] = {}
        while len(found) < len(tasks):
            if stop():
                self.close()
                return None
            for place in range(self.count):
                if place not in busy and waiting:
                    busy[place] = waiting.pop()
                    self._player(place).send(tasks[busy[place]])
            wait([self._player(place).connection for place in busy], TICK)
            for place, task in list(busy.items()):
                kind, answer = self._player(place).answer(self._deadline)
                if kind == "returns":
                    found[task] = answer
                elif kind == "fault":
                    raise UserError(answer[0], code=answer[1])
                elif kind == "gone":
                    failed[task] += 1
                    log.warning("%s: %s It is started anew.", self._world, answer)
                    self._leave(place)
                    if failed[task] == FRUITLESS:
                        raise UserError(
                            f"{self._world} failed {FRUITLESS} times on end; the last time: {answer}", code=70
                        )
                    waiting.append(task)
                if kind:
                    del busy[place]
        return [found[task] for task in range(len(tasks))]

    def _play_here(self, tasks: list[Task], stop: Stop) -> list[Returns] | None:
        trained, environment, options = self._arguments
        found: list[Returns] = []
        for parameters, dice, episodes in tasks:
            acting = _with(trained, parameters)
            found.append(play(acting, environment, options, episodes=episodes, dice=dice, stop=stop))
            if not found[-1].complete:
                return None
        return found

    def close(self) -> None:
        """Ends them."""
        for place in range(self.count):
            self._leave(place)

    def __enter__(self) -> "Players":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _player(self, place: int) -> "_Player":
        player = self._players[place] = self._players[place] or _Player(place, self._arguments)
        return player

    def _leave(self, place: int) -> None:
        player, self._players[place] = self._players[place], None
        if player:
            player.kill()


class _Player:
    """The trainer's side of one."""

    def __init__(self, place: int, arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=True)
        watched = threading.current_thread() is threading.main_thread()
        self._process = context.Process(
            target=main, args=(theirs, place, *arguments, os.getpid(), watched), name=f"reverie-player-{place}"
        )
        self._process.start()
        theirs.close()
        self._heard = time.monotonic()

    def send(self, task: Task) -> None:
        self._heard = time.monotonic()
        with contextlib.suppress(OSError):  # it is dead, which `answer` finds out
            self.connection.send(task)

    def answer(self, deadline: float) -> tuple[str, Any]:
        """`returns`, `fault` or `gone`, with what belongs to it; `("", None)` while it plays."""
        try:
            while self.connection.poll():
                kind, answer = self.connection.recv()
                self._heard = time.monotonic()
                if kind != "beat":
                    return kind, answer
        except (EOFError, OSError):
            self._process.join(TICK)
            return "gone", f"the process that played died (exit code {self._process.exitcode})."
        if time.monotonic() - self._heard > deadline:
            return "gone", f"the process that played gave no sign within its deadline of {deadline:g} s."
        return "", None

    def kill(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()


def main(
    connection: Connection,
    place: int,
    trained: Trained,
    environment: str | Factory,
    options: EnvironmentConfig,
    parent: int,
    watched: bool,
) -> None:
    """The process: plays until it is left alone."""
    leave_with(parent, watched)
    threading.Thread(target=end_with, args=(connection.fileno(), parent), daemon=True).start()
    if hasattr(os, "sched_setaffinity"):  # before jax counts them
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)]})
    compilation.cache()
    trained, beaten = jax.tree.map(jnp.asarray, trained), 0.0

    def beat() -> bool:
        nonlocal beaten
        if time.monotonic() - beaten > BEAT:
            beaten = time.monotonic()
            connection.send(("beat", None))
        return False

    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # nobody is left to tell
        while True:
            parameters, dice, episodes = connection.recv()
            try:
                acting = _with(trained, parameters)
                returns = play(acting, environment, options, episodes=episodes, dice=dice, stop=beat)
                connection.send(("returns", returns))
            except UserError as error:
                connection.send(("fault", (str(error), error.code)))


def _with(trained: Trained, parameters: np.ndarray) -> Trained:
    """With another controller."""
    return eqx.tree_at(lambda it: it.policy.controller.parameters, trained, jnp.asarray(parameters, jnp.float32))
