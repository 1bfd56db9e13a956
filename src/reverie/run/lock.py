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
        path = folder / FILE
        self._descriptor = durable.lock(path, f"pid {os.getpid()} on {socket.gethostname()}")
        if self._descriptor is None:
            raise UserError(
                f"{folder} is in use by {path.read_text() or 'another process'}. "
                "Wait for it or stop it, or choose another folder with --run.",
                code=75,
            )

    def close(self) -> None:
        """Let another process have the folder."""
        if self._descriptor is not None:
            durable.unlock(self._descriptor)
            self._descriptor = None


def is_held(folder: Path) -> bool:
    """Whether some process is writing to this run now."""
    return (folder / FILE).exists() and durable.is_locked(folder / FILE)
