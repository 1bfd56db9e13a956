"""What a run says while it trains and when it ends; the same for every verb that trains."""

import contextlib
import errno
import shlex
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverie.cli.arguments import near, print_line
from reverie.cli.progress import Progress
from reverie.data import durable
from reverie.errors import UserError

if TYPE_CHECKING:
    from reverie.run.run import Run


@contextlib.contextmanager
def watching(run: "Run", *, machine: bool = False) -> Iterator[None]:
    """Names the run folder first of all, then shows its progress; where it cannot be shown, the run saves and stops."""
    with _heard(run):
        if machine:
            print_line({"event": "run", "run": str(near(run.directory))})
        else:
            print(f"run: {near(run.directory)}", flush=True)
    stop = lambda: run.ask_to_stop(signal.SIGPIPE)
    with Progress(run.budget, lambda: run.seconds, sys.stdout, machine=machine, unheard=stop) as progress:
        run.progress = progress
        yield
    run.progress = None
    with _heard(run):
        if run.stop not in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C ends the reader too: the code is ours
            progress.raise_if_unheard()


@contextlib.contextmanager
def _heard(run: "Run") -> Iterator[None]:
    """Around what is printed of a run: that it could not be is no reason for code 0, and none for a traceback."""
    try:
        yield
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # or Python tries again, at the end
        code, _ = durable.REFUSALS.get(error.errno or 0, (74, ""))
        if error.errno == errno.EPIPE:
            code = 128 + signal.SIGPIPE
        raise UserError(
            f"what {near(run.directory)} says cannot be printed ({error.strerror}), so it stopped; what was done is "
            f"saved. Go on with: reverie resume {_named(run)}",
            code=code,
        ) from error


def outcome(run: "Run", *, machine: bool = False) -> int:
    """The last line, and the exit code: 0, or 128 and the number of the signal that stopped the run."""
    from reverie.run.runs import describe

    try:
        if machine:
            entry = describe(near(run.directory)) | {"steps": run.step}
            print_line({"event": "interrupted" if run.stop else "finished", **entry})
        elif run.stop:
            print(f"stopped; continue with the same line, or with: reverie resume {_named(run)}", flush=True)
        else:
            print(f"finished at step {run.step:,}; next: reverie eval {_named(run)}", flush=True)
    except OSError:  # the run is what it is, whether somebody hears of it or not
        with contextlib.suppress(OSError):
            sys.stdout.close()
    return 128 + run.stop if run.stop else 0


def _named(run: "Run") -> str:
    """The run for a further line; an environment of the user's own has to be said again."""
    environment = run.manifest["environment"]
    folder = shlex.quote(str(near(run.directory)))
    return f"{folder} --environment {environment}" if ":" in environment else folder
