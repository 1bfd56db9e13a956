"""What a run says while it trains and when it ends; the same for every verb that trains."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reverie.cli.arguments import print_line
from reverie.cli.progress import Progress

if TYPE_CHECKING:
    from reverie.run.run import Run


@contextlib.contextmanager
def watching(run: "Run", *, machine: bool = False) -> Iterator[None]:
    """Names the run folder first of all, then shows its progress."""
    if machine:
        print_line({"event": "run", "run": str(run.directory)})
    else:
        print(f"run: {run.directory}", flush=True)
    with Progress(run.budget, lambda: run.seconds, sys.stdout, machine=machine) as run.progress:
        yield
    run.progress = None


def outcome(run: "Run", *, machine: bool = False) -> int:
    """The last line, and the exit code: 0, or 128 and the number of the signal that stopped the run."""
    from reverie.run.runs import describe

    if machine:
        entry = describe(run.directory) | {"steps": run.step}
        print_line({"event": "interrupted" if run.stop else "finished", **entry})
    elif run.stop:
        print(f"stopped; continue with the same line, or with: reverie resume {_named(run)}")
    else:
        print(f"finished at step {run.step:,}; next: reverie eval {_named(run)}")
    return 128 + run.stop if run.stop else 0


def _named(run: "Run") -> str:
    """The run for a further line; an environment of the user's own has to be said again."""
    environment = run.manifest["environment"]
    return f"{run.directory} --environment {environment}" if ":" in environment else str(run.directory)
