"""`reverie runs`: what has been trained, in a folder and below it; `runs hash` and `runs replay` look into one run."""

import math
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
      reverie runs hash RUN          one number for all that the run has become
      reverie runs replay FAILURE    compute again what was not finite
    """

    folder: Annotated[Path, Positional, arg(metavar="FOLDER")] = Path("runs")
    """Where to look, this folder and all below it."""
    json: bool = False
    """Print a JSON list of objects with at least run, method, environment, steps and score."""
    tensorboard: bool = False
    """Write TensorBoard's event files into each run's folder, from its metrics."""


@dataclass(frozen=True)
class Hash:
    """Print one number for all that a run has become.

    It covers parameters, optimiser, keys, environments, replay and metrics, as of the newest checkpoint, and nothing
    that depends on the clock: a run that was killed and resumed has the number of one that was not.
    """

    run: Annotated[Path, Positional, arg(metavar="RUN")]
    """The run folder, or the name of a run in runs/."""


@dataclass(frozen=True)
class Replay:
    """Compute again the update that ended a run, and print its losses."""

    failure: Annotated[Path, Positional, arg(metavar="FAILURE")]
    """The folder that the message named: RUN/failures/STEP."""
    json: bool = False
    """Print a JSON object."""


def main(words: list[str]) -> int:
    special = {"hash": _hash, "replay": _replay}
    if words and words[0] in special:
        return special[words[0]](words[1:])
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


def _hash(words: list[str]) -> int:
    options = parse(Hash, words, verb="runs hash")
    from reverie.run.fingerprint import fingerprint
    from reverie.run.runs import find

    print(fingerprint(find(options.run)))
    return 0


def _replay(words: list[str]) -> int:
    options = parse(Replay, words, verb="runs replay")
    from reverie import api

    metrics = api.replay_failure(options.failure)
    rows = [{"metric": name, "value": value if math.isfinite(value) else str(value)} for name, value in metrics.items()]
    if options.json:
        print_json({row["metric"]: row["value"] for row in rows})
    else:
        print(table(rows))
    return 0
