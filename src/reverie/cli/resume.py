"""`reverie resume RUN`: go on from the newest checkpoint, with the settings the run was begun with."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import parse
from reverie.cli.watch import outcome, watching
from reverie.errors import UserError
from reverie.run import lock, runs


@dataclass(frozen=True)
class Resume:
    """Continue a run from its newest checkpoint, wherever its folder is now.

    examples:
      reverie resume runs/dreamer3-CartPole-v1-nano-seed0
      reverie resume dreamer3-CartPole --steps 60000
    """

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    steps: int = 0
    """Move its end to so many steps of the simulator. 0: leave it."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""
    json: bool = False
    """Print one JSON object per report, and a last one with the outcome."""


def main(words: list[str]) -> int:
    options = parse(Resume, words, verb="resume")
    if not options.run:
        raise UserError("which run? `reverie runs` lists them.")
    lock.refuse_if_held(runs.find(options.run))
    from reverie import api

    run = api.again(options.run, steps=options.steps or None)
    with watching(run, machine=options.json):
        api.work(run, options.environment or None)
    return outcome(run, machine=options.json)
