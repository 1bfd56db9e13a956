"""`reverie film RUN`: the pictures of a run: how it learned, how it acts, how it dreams, at several temperatures."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import near, parse
from reverie.errors import UserError


@dataclass(frozen=True)
class Film:
    """Write the learning curve, a film of the agent and films of its dreams into RUN/media.

    examples:
      reverie film dreamer3-CartPole
      reverie film runs/doom --temperatures 0.1 1.15 --steps 2100
    """

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    temperatures: tuple[float, ...] = ()
    """vmc: of the dreams that are shown side by side. None: the paper's five."""
    steps: int = 300
    """vmc: that these dreams go on for; the film shows 300 of more."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""


def main(words: list[str]) -> int:
    options = parse(Film, words, verb="film")
    if not options.run:
        raise UserError("which run? `reverie runs` lists them.")
    if not all(temperature > 0 for temperature in options.temperatures):
        raise UserError(f"--temperatures: {' '.join(map(str, options.temperatures))}: they are numbers above 0.")
    if options.steps < 1:
        raise UserError(f"--steps must be at least 1, got {options.steps}.")
    from reverie import api

    agent = api.load(options.run, environment=options.environment or None)
    drawn = api.draw(agent, temperatures=options.temperatures, steps=options.steps)
    for path in drawn.files:
        print(near(path))
    for missing in drawn.missing:
        print(f"not drawn: {missing}")
    return 0
