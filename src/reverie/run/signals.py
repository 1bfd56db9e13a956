"""Ctrl-C and SIGTERM: the first asks the run to save and stop, the second ends it at once.

Python runs its handlers between two bytecodes of the main thread, which may be inside a compilation for minutes. So a
thread of our own is told of a signal through a pipe (`signal.set_wakeup_fd`), and ends the process where the main
thread cannot: at the second signal, and when nobody has looked at `received` within `PATIENCE`. What is lost then is
what was done since the last checkpoint.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

PATIENCE = 9.0
"""Seconds in which the main thread must notice a signal; a save, once begun, may take longer."""

_HANDLED = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """From `install` to `close`, signals are noted instead of raised. Does nothing outside the main thread."""

    def __init__(self, end: Callable[[int], Any] = os._exit) -> None:
        self._end = end  # what ends the process
        self._signal = 0
        self._noticed = threading.Event()
        self._previous: dict[int, Any] = {}

    @property
    def received(self) -> int:
        """The number of the signal that asked to stop, or 0. Looking tells us that the main thread is alive."""
        if self._signal:
            self._noticed.set()
        return self._signal

    def install(self) -> None:
        """Take the handlers over."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._previous_descriptor = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, _ignore) for number in _HANDLED}
        self._thread = threading.Thread(target=self._watch, name="signals", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the handlers back."""
        if not self._previous:
            return
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}
        signal.set_wakeup_fd(self._previous_descriptor)
        os.close(self._writer)  # ends the thread
        self._noticed.set()
        self._thread.join()
        os.close(self._reader)

    def _watch(self) -> None:
        while number := os.read(self._reader, 1):
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
        sys.stderr.write(f"\nreverie: stopped at once ({reason}); the last checkpoint is kept\n")
        sys.stderr.flush()
        self._end(128 + self._signal)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """The pipe has told the thread already; a handler must exist for the pipe to be written."""
