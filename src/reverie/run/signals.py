"""Ctrl-C and SIGTERM: the first asks the run to save and stop, the second ends it at once.

Python runs its handlers between two bytecodes of the main thread, which may be inside a compilation for minutes. So a
thread of our own is told of a signal through a socket (`signal.set_wakeup_fd`), and ends the process where the main
thread cannot: at the second signal, and when nobody has looked at `received` within `PATIENCE`. What is lost then is
what was done since the last checkpoint. Where somebody else has taken the socket (an environment with asyncio), the
handlers tell the thread.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 9.0
"""Seconds in which the main thread must notice a signal; a save, once begun, may take longer."""
LAST_WORDS = 1.0
"""Seconds for saying why, where nobody may be left to read it, or somebody who does not."""

_HANDLED = (signal.SIGINT, signal.SIGTERM)
_CLOSE = b"\0"
"""What ends the thread: no signal has this number."""


class Signals:
    """From `install` to `close`, signals are noted instead of raised. Does nothing outside the main thread."""

    def __init__(self, end: Callable[[int], Any] = os._exit) -> None:
        self._end = end  # what ends the process
        self._signal = self._asked = 0
        self._noticed = threading.Event()
        self._previous: dict[int, Any] = {}

    @property
    def received(self) -> int:
        """The number of the signal that asked to stop, or 0. Looking tells us that the main thread is alive."""
        if self._signal:
            self._noticed.set()
        return self._signal or self._asked

    def note(self, number: int) -> None:
        """As if this signal had come; the next one is the first."""
        self._asked = number

    def install(self) -> None:
        """Take the handlers over."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._previous_descriptor = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._handle) for number in _HANDLED}
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()
        _installed.add(self)

    def close(self) -> None:
        """Give the handlers back."""
        if not self._previous:
            return
        self._give_back()
        self._writer.send(_CLOSE)
        self._noticed.set()
        self._thread.join()
        self._close_pair()

    def _watch(self) -> None:
        while (number := self._reader.recv(1)) != _CLOSE:
            if number[0] not in _HANDLED:
                continue
            if self._signal:
                self._stop_now("second signal")
            self._signal = number[0]
            threading.Thread(target=self._expect_notice, name="patience", daemon=True).start()

    def _expect_notice(self) -> None:
        if not self._noticed.wait(PATIENCE):
            self._stop_now(f"busy for more than {PATIENCE:.0f} seconds")

    def _stop_now(self, reason: str) -> None:
        words = f"\nreverie: stopped at once ({reason}), without saving: the last checkpoint, if any, stays\n"
        speaking = threading.Thread(target=_say, args=(words,), name="last words", daemon=True)
        speaking.start()
        speaking.join(LAST_WORDS)
        self._end(128 + self._signal)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        """In the main thread. Our thread has been told already, unless the socket is not ours any more."""
        ours = self._writer.fileno()
        current = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
        if current != ours:
            signal.set_wakeup_fd(current)
            self._writer.send(bytes([number]))

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
        signal.set_wakeup_fd(self._previous_descriptor)
        _installed.discard(self)

    def _close_pair(self) -> None:
        self._writer.close()
        self._reader.close()


def _say(words: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it, or it is closed
        sys.stderr.write(words)
        sys.stderr.flush()


_installed: set[Signals] = set()


def _forget() -> None:
    """In a process that an environment has forked: signals to it are its own, not the run's."""
    for signals in list(_installed):
        signals._give_back()  # pyright: ignore[reportPrivateUsage]
        signals._close_pair()  # pyright: ignore[reportPrivateUsage]


os.register_at_fork(after_in_child=_forget)
