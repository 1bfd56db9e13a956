"""`reverie runs`: what has been trained, in a folder and below it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import parse, print_json, table


@dataclass(frozen=True)
class Runs:
    """List the runs of a folder: method, environment, steps and the newest score.

    examples:
      reverie runs
      reverie runs --json
      reverie runs --tensorboard
      reverie runs /data/experiments
    """

    folder: Annotated[Path, Positional, arg(metavar="FOLDER")] = Path("runs")
    """Where to look, this folder and all below it."""
    json: bool = False
    """Print a JSON list of objects with at least run, method, environment, steps and score."""
    tensorboard: bool = False
    """Write TensorBoard's event files into each run's folder, from its metrics."""


def main(words: list[str]) -> int:
    options = parse(Runs, words, verb="runs")
    from reverie.run.runs import list_runs

    rows = list_runs(options.folder)
    if options.tensorboard:
        from reverie.run.tensorboard import export

        for row in rows:
            export(Path(row["run"]))
    if options.json:
        print_json(rows)
    else:
        print(table(rows) or f"There are no runs in {options.folder}. Begin one: reverie train dreamer3 CartPole-v1")
    return 0
