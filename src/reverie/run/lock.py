"""One writer for each run folder: a lock that frees itself when its process ends, however it ends."""

import os
import socket
from pathlib import Path

from reverie.data import durable
from reverie.errors import UserError

FILE = "lock"


class Lock:
    """Held from construction to `close`. Raises `UserError` (code 75), saying who holds it, if another process does."""

    def __init__(self, folder: Path) -> None:
        self._path = path = folder / FILE
        self._descriptor = durable.lock(path, f"pid {os.getpid()} on {socket.gethostname()}")
        if self._descriptor is None:
            raise _in_use(folder)

    def check(self) -> None:
        """`UserError` (code 74) if the folder, or the lock in it, is no longer where it was: that may be another's."""
        if self._descriptor is not None and not durable.holds(self._path, self._descriptor):
            raise UserError(
                f"{self._path.parent} was moved, or {FILE!r} in it was deleted, while it was trained. Nothing was "
                "written since. Put it back, and go on from its newest checkpoint with `reverie resume`.",
                code=74,
            )

    def close(self) -> None:
        """Let another process have the folder."""
        if self._descriptor is not None:
            durable.unlock(self._descriptor)
            self._descriptor = None


def refuse_if_held(folder: Path) -> None:
    """The same refusal, before anything is made ready; whoever comes between is refused by the lock itself."""
    if is_held(folder):
        raise _in_use(folder)


def is_held(folder: Path) -> bool:
    """Whether some process is writing to this run now."""
    return (folder / FILE).exists() and durable.is_locked(folder / FILE)


def _in_use(folder: Path) -> UserError:
    return UserError(
        f"{folder} is in use by {(folder / FILE).read_text() or 'another process'}. "
        "Wait for it or stop it, or choose another folder with --run.",
        code=75,
    )
