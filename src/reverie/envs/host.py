"""Several environments in one process, stepped one after another as the table says.

`Host` is the same in the trainer's process and in a worker: what fails, fails in the same way. Its verbs are a worker's
too, so that `Pool` need not know which it holds: `facts`, `join`, `go`, `ready`, `done`, `leave`, `close`.
"""

import logging
import math
import time
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment
from reverie.envs.make import Factory, make, name_of, theirs
from reverie.envs.rows import Command, Rows
from reverie.errors import UserError
from reverie.types import Spaces

log = logging.getLogger(__name__)


class Facts(NamedTuple):
    """What a host says of its environments once they stand."""

    spaces: Spaces
    repeat: int


class Host:
    """Builds the environments of some lines, when asked for facts or for a first row, and obeys those lines.

    Args:
        environment, config: as `make` takes them.
        lines: which lines of the table are this host's.
    """

    patience = math.inf
    """Seconds that others wait for it once it has failed: nothing goes on beside it here."""

    def __init__(self, environment: str | Factory, config: EnvironmentConfig, lines: Sequence[int]) -> None:
        self.lines = tuple(lines)
        self._environment, self._config = environment, config
        self._running: dict[int, Environment] = {}
        self._rows: Rows | None = None

    def facts(self) -> Facts:
        """Builds the environments."""
        with theirs(name_of(self._environment)):
            first, *_ = [self._built(line) for line in self.lines]
        return Facts(first.spaces, first.repeat)

    def join(self, rows: Rows) -> None:
        """Takes its place at the table."""
        self._rows = rows

    def go(self) -> None:
        """Nothing: what a worker would do meanwhile, `done` does."""

    def ready(self, seconds: float) -> bool:
        """Always: nothing here is waited for."""
        return True

    def done(self) -> dict[int, str]:
        """Does what each line says. Gives the traceback of each line whose environment failed; it is built anew."""
        assert self._rows is not None
        failures = {}
        for line in self.lines:
            if self._rows.command[line] == Command.IDLE:
                continue
            self._rows.began[line] = time.monotonic()
            try:
                self._obey(line, self._rows)
            except UserError:
                raise  # the environment broke its promises: to try again would hide it
            except (Exception, SystemExit):
                log.warning("%s failed and is built anew", name_of(self._environment), exc_info=True)
                failures[line] = traceback.format_exc()
                self._drop(line)
        return failures

    def leave(self) -> None:
        """Nothing: `close` is quick."""

    def close(self) -> None:
        for line in list(self._running):
            self._drop(line)

    def _obey(self, line: int, rows: Rows) -> None:
        environment = self._built(line)
        if rows.command[line] == Command.RESET:
            rows.write(line, environment.reset(int(rows.seed[line])))
        else:
            rows.write(line, environment.step(rows.action[line]))
        rows.mended[line] = environment.mended

    def _built(self, line: int) -> Environment:
        if line not in self._running:
            self._running[line] = make(self._environment, self._config)
        return self._running[line]

    def _drop(self, line: int) -> None:
        environment = self._running.pop(line, None)
        if environment is None:
            return  # it was the building that failed
        try:
            environment.close()
        except (Exception, SystemExit):
            log.warning("%s failed to close, which is ignored", environment.id, exc_info=True)
