"""A process that hosts environments, and the handle by which the pool holds it.

Spawned, never forked; it imports no jax. Rows lie in shared memory that has no name, so nothing is left behind whatever
dies first; there a worker also notes when it called which environment, so that each has a deadline of its own. The pipe
carries only requests and answers: its end of file tells a worker that the pool is gone, even one that is busy, and so
does the kernel. A worker is in a session of its own: Ctrl-C is the trainer's affair.
"""

import contextlib
import ctypes
import faulthandler
import fcntl
import logging
import multiprocessing
import os
import select
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
from reverie.envs.rows import Command, Memory, Rows
from reverie.errors import UserError

log = logging.getLogger(__name__)
FACTS, JOIN, GO, CLOSE = b"facts", b"join", b"go", b"close"
TICK = 0.25
"""Seconds after which somebody looks whether a silent worker still lives."""
GRACE = 5.0
"""Seconds that a worker has to leave: to close its environments, or to end once it is dying."""
WORDS = 1 << 14
"""Bytes kept of what the interpreter of a dying or hanging worker says of where it is."""
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
        self.patience = step_deadline
        """Seconds that others wait for it once it has failed."""
        self._rows: Rows | None = None
        self._heard = False  # an answer lies in the pipe
        self._late = False  # it was over its deadline once
        self._start()
        self._ask(FACTS)

    def facts(self) -> Facts:
        """Waits until the environments stand."""
        kind, answer = self._answer()
        if kind == "facts":
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
        with contextlib.suppress(OSError):  # it is dead, which `done` finds out and says
            self._connection.send_bytes(JOIN)
            self._connection.send((rows.spaces, rows.count))
            send_handle(self._connection, rows.memory.handle, self._process.pid)

    def go(self) -> None:
        """Lets it obey its lines; `done` waits for that."""
        assert self._rows is not None
        self._rows.began[list(self.lines)] = 0
        self._ask(GO)

    def ready(self, seconds: float) -> bool:
        """Waits so long at most. Whether `done` would not have to wait: it has answered, it is dead, or it hangs."""
        self._heard = self._heard or self._connection.poll(seconds)
        if self._heard or not self._process.is_alive():
            return True
        self._late = self._late or time.monotonic() > self._due()
        return self._late

    def done(self) -> dict[int, str]:
        """Waits. Gives what went wrong by line; if the process itself did, it is replaced and all its lines failed."""
        kind, answer = self._answer()
        if kind == "done":
            return answer
        log.warning("%s: %s It is started anew.", name_of(self._arguments[0]), answer)
        self._replace()
        return {line: str(answer) for line in self.lines}

    def leave(self) -> None:
        """Asks it to leave, which `close` waits for."""
        with contextlib.suppress(OSError):  # it has left already
            self._connection.send_bytes(CLOSE)
        self._sent = time.monotonic()

    def close(self) -> None:
        """Ends it: at once if it is busy, else after its grace."""
        if not self._busy:
            self._process.join(max(self._sent + GRACE - time.monotonic(), 0))
        self.kill()

    def kill(self) -> None:
        self._connection.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=True)
        self._words = Memory.new(WORDS)
        watched = threading.current_thread() is threading.main_thread()
        self._process = context.Process(
            target=main,
            args=(theirs, self._words, *self._arguments, os.getpid(), watched),
            name=f"reverie-worker-{self.lines[0]}",
        )
        self._process.start()
        theirs.close()
        self._words.close()

    def _replace(self) -> None:
        """A new process, which builds its environments when it is told to reset them; nobody waits for it here."""
        self.kill()
        self._start()
        assert self._rows is not None
        self.join(self._rows)

    def _ask(self, verb: bytes) -> None:
        self._busy, self._sent, self._late = True, time.monotonic(), False
        with contextlib.suppress(OSError):  # it is dead, which `ready` finds out
            self._connection.send_bytes(verb)

    def _answer(self) -> tuple[str, Any]:
        """Its next message; `("gone", why)` if there is none."""
        while not self.ready(TICK):
            pass
        self._busy = False
        try:
            if self._heard or self._connection.poll():
                self._heard = False
                kind, answer = self._connection.recv()
                if kind == "fault":
                    raise UserError(answer[0], code=answer[1])
                return kind, answer
        except (EOFError, OSError):
            self._process.join(GRACE)
        return "gone", self._last_words()

    def _due(self) -> float:
        """When the environment that it is at counts as hung. Building all of them has one deadline."""
        if self._rows is None:
            return self._sent + self._reset_deadline * len(self.lines)
        command, began = self._rows.command, self._rows.began
        line = max((line for line in self.lines if command[line] != Command.IDLE), key=lambda line: began[line])
        allowed = self._step_deadline if command[line] == Command.STEP else self._reset_deadline
        return max(self._sent, float(began[line])) + allowed

    def _last_words(self) -> str:
        """Why it gives no answer, and where it was."""
        if self._process.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid or 0, signal.SIGUSR1)
            self._process.join(TICK)
            deadlines = f"{self._step_deadline:g} s a step, {self._reset_deadline:g} s a reset"
            why = f"gave no answer within its deadline ({deadlines})"
        else:
            why = f"died (exit code {self._process.exitcode})"
        words = bytes(self._words.view).rstrip(b"\0").decode(errors="replace")
        return f"The worker process {why}.\n{words}".rstrip()


def main(
    connection: Connection,
    words: Memory,
    environment: str | Factory,
    config: EnvironmentConfig,
    lines: tuple[int, ...],
    parent: int,
    watched: bool,
) -> None:
    """The process: obeys until told to stop or left alone."""
    leave_with(parent, watched)
    threading.Thread(target=end_with, args=(connection.fileno(), parent), daemon=True).start()
    faulthandler.enable(words.handle)
    faulthandler.register(signal.SIGUSR1, words.handle)
    host = Host(environment, config, lines)
    try:
        while (verb := connection.recv_bytes()) != CLOSE:
            if verb == FACTS:
                connection.send(("facts", host.facts()))
            elif verb == JOIN:
                spaces, count = connection.recv()
                host.join(Rows(spaces, count, Memory(recv_handle(connection))))
            else:
                connection.send(("done", host.done()))
        host.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the pool is gone, and nobody is left to tell
    except UserError as error:
        connection.send(("fault", (str(error), error.code)))


def end_with(pipe: int, parent: int) -> None:
    """Ends the process when the other end of the pipe is closed, whatever the environment is doing."""
    hung_up = select.poll()
    hung_up.register(pipe, 0)  # a hang-up is reported unasked, and what is to be read is not ours
    while not hung_up.poll(1000) and os.getppid() == parent:  # macOS reports no hang-up, so the parent is looked at too
        pass
    os._exit(1)


def _obey_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def leave_with(parent: int, watched: bool) -> None:
    """No signal meant for the trainer ends a worker, no worker outlives its trainer, and no child its worker.

    The kernel's death signal follows the thread that started the worker: it is asked for only if that is the main one.
    """
    os.setsid()
    with contextlib.suppress(OSError):  # no terminals here: an environment's own processes may stay behind
        _, terminal = os.openpty()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)  # hung up when the worker dies, which ends what it has started
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which an environment's own processes would inherit
    os.register_at_fork(after_in_child=_obey_signals)  # or the handler, where they are not started but forked
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and children would outlive the terminal
    if sys.platform == "linux" and watched:
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
