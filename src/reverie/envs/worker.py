"""A process that hosts environments, and the handle by which the pool holds it.

Spawned, never forked; it imports no jax. Rows lie in shared memory that has no name, so nothing is left behind whatever
dies first. The pipe carries only "go" and "done": its end of file tells a worker that the pool is gone, and the kernel
kills one that is too busy to notice. A worker is in a session of its own: Ctrl-C is the trainer's affair.
"""

import contextlib
import ctypes
import fcntl
import logging
import multiprocessing
import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

from reverie.envs.config import EnvironmentConfig
from reverie.envs.host import Facts, Host
from reverie.envs.make import Factory, name_of
from reverie.envs.rows import Memory, Rows
from reverie.errors import UserError

log = logging.getLogger(__name__)
GO, CLOSE = b"go", b"close"
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG in Linux's prctl


class Worker:
    """The pool's side: starts the process, waits for it no longer than allowed, replaces it.

    Args:
        environment, config, lines: what it hosts.
        step_deadline, reset_deadline: seconds that one environment may take.
    """

    def __init__(
        self,
        environment: str | Factory,
        config: EnvironmentConfig,
        lines: Sequence[int],
        *,
        step_deadline: float,
        reset_deadline: float,
    ) -> None:
        self.lines = tuple(lines)
        self._arguments = (environment, config, self.lines)
        self._step_deadline, self._reset_deadline = step_deadline, reset_deadline
        self._rows: Rows | None = None
        self._sent = 0.0
        self._start()

    def facts(self) -> Facts:
        """Waits until the environments stand."""
        kind, answer = self._answer(self._reset_deadline * len(self.lines))
        if kind == "ready":
            return answer
        self.kill()
        raise UserError(
            f"{name_of(self._arguments[0])} could not be made in a worker. {answer} If your script has no line "
            'if __name__ == "__main__": add it, for a worker imports the script. Or use workers=0.',
            code=70,
        )

    def join(self, rows: Rows) -> None:
        """Hands the process its table."""
        assert self._process.pid is not None
        self._rows = rows
        self._connection.send(rows.count)
        send_handle(self._connection, rows.memory.handle, self._process.pid)

    def go(self) -> None:
        """Lets it obey its lines; `done` waits for that."""
        self._sent = time.monotonic()
        with contextlib.suppress(OSError):  # it is dead, which `done` finds out and says
            self._connection.send_bytes(GO)

    def done(self, *, resets: int) -> dict[int, str]:
        """Waits. Gives what went wrong by line; if the process itself did, it is replaced and all its lines failed."""
        allowed = self._step_deadline * (len(self.lines) - resets) + self._reset_deadline * resets
        kind, answer = self._answer(self._sent + allowed - time.monotonic())
        if kind == "done":
            return answer
        log.warning("%s: %s It is started anew.", name_of(self._arguments[0]), answer)
        self._replace()
        return {line: str(answer) for line in self.lines}

    def close(self) -> None:
        """Asks it to leave, and makes it."""
        with contextlib.suppress(OSError):  # it has left already
            self._connection.send_bytes(CLOSE)
        self._process.join(5)
        self.kill()

    def kill(self) -> None:
        self._connection.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=True)
        watched = threading.current_thread() is threading.main_thread()
        self._process = context.Process(
            target=main, args=(theirs, *self._arguments, os.getpid(), watched), name=f"reverie-worker-{self.lines[0]}"
        )
        self._process.start()
        theirs.close()

    def _replace(self) -> None:
        self.kill()
        self._start()
        self.facts()
        assert self._rows is not None
        self.join(self._rows)

    def _answer(self, seconds: float) -> tuple[str, Any]:
        """Its next message; `("gone", why)` if there is none."""
        try:
            if self._connection.poll(max(seconds, 0)):
                kind, answer = self._connection.recv()
                if kind == "fault":
                    raise UserError(answer[0], code=answer[1])
                return kind, answer
        except (EOFError, OSError):
            self._process.join(5)
            return "gone", f"The worker process died (exit code {self._process.exitcode})."
        return "gone", f"The worker process gave no answer within its deadline ({self._step_deadline:g} s a step)."


def main(
    connection: Connection,
    environment: str | Factory,
    config: EnvironmentConfig,
    lines: tuple[int, ...],
    parent: int,
    watched: bool,
) -> None:
    """The process: builds its environments, then obeys until told to stop or left alone."""
    _leave_with(parent, watched)
    try:
        host = Host(environment, config, lines)
        connection.send(("ready", host.facts()))
        count = connection.recv()
        host.join(Rows(host.facts().spaces, count, Memory(recv_handle(connection))))
        while connection.recv_bytes() == GO:
            connection.send(("done", host.done()))
        host.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the pool is gone, and nobody is left to tell
    except UserError as error:
        connection.send(("fault", (str(error), error.code)))


def _leave_with(parent: int, watched: bool) -> None:
    """No signal meant for the trainer ends a worker, no worker outlives its trainer, and no child its worker.

    The kernel's death signal follows the thread that started the worker: it is asked for only if that is the main one.
    """
    os.setsid()
    with contextlib.suppress(OSError):  # no terminals here: an environment's own processes may stay behind
        _, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)  # hung up when the worker dies, which ends what it has started
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which an environment's own processes would inherit
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and children would outlive the terminal
    if sys.platform == "linux" and watched:
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
