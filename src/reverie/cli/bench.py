"""`reverie bench planners RUN`: every planner on the same trained model, in the same episodes, side by side."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from reverie.behaviours.planner_config import CONFIGS, PlanningConfig, configured
from reverie.cli.arguments import choose, near, parse, print_json, table
from reverie.errors import UserError

if TYPE_CHECKING:
    from reverie.evaluate.decisions import Decisions

HELP = """usage: reverie bench planners RUN [--planners ...] [--candidates ...] [--episodes N] [--horizon H] [--json]

Measures what planning brings and what it costs, on a trained run.

examples:
  reverie bench planners dreamer3-CartPole
  reverie bench planners runs/pendulum --planners cem icem --candidates 32 128 --value --episodes 20"""


@dataclass(frozen=True)
class Planners:
    """Play the same episodes with every planner: return against model calls and milliseconds per decision.

    Prints a table; with the extra `plots` also draws it, into RUN/media/planners.png (of weights ./NAME/media).

    examples:
      reverie bench planners dreamer3-CartPole
      reverie bench planners runs/pendulum --planners cem icem --candidates 32 128 --value --episodes 20
    """

    how: Annotated[PlanningConfig, arg(name="")]
    """How all of them plan."""
    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    planners: tuple[str, ...] = tuple(CONFIGS)
    """Which."""
    candidates: tuple[int, ...] = (32, 128)
    """Plans compared at once: every planner is tried with each of these; elites stay the same share."""
    episodes: int = 5
    """Played by each."""
    seed: int = 0
    """Of the episodes."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""
    json: bool = False
    """Print a JSON list with every return instead, and draw nothing."""


def main(words: list[str]) -> int:
    return choose(words, {"planners": planners}, of="bench", usage=HELP)


def planners(words: list[str]) -> int:
    options = parse(Planners, words, verb="bench planners", default=Planners(PlanningConfig()))
    if not options.run:
        raise UserError("which run? `reverie runs` lists them.")
    if options.episodes < 1:
        raise UserError(f"at least one episode is to be played, got {options.episodes}.")
    ways = [(name, count) for name in options.planners for count in options.candidates]
    for name, count in ways:
        configured(name, candidates=count)  # what is wrong is said before anything is imported
    from reverie import api

    agent = api.load(options.run, environment=options.environment or None)
    every = [(name, agent.planning(name, candidates=count, **vars(options.how))) for name, count in ways]
    found: list[Decisions] = []
    for name, one in [("policy", agent), *every]:
        row = one.decisions(name, options.episodes, seed=options.seed)
        found.append(row)
        of = f" of {row.candidates} candidates" if row.candidates else ""
        print(f"{len(found)} of {1 + len(every)}: {name}{of}: {row.returns.mean:.4g}", file=sys.stderr, flush=True)
    if options.json:
        print_json([row.to_json() for row in found])
        return 0
    title = f"{near(agent.run)}: {options.episodes} episodes, horizon {options.how.horizon}"
    print(f"{title}\n\n{table([cells(row) for row in found])}\n")
    print(drawn(agent.pictures / "media", found, title))
    return 0


def cells(row: "Decisions") -> dict[str, Any]:
    """A line of the table."""
    low, high = row.returns.confidence
    mean = {"return": row.returns.mean, "95 % interval": f"{low:.4g} to {high:.4g}"}
    costs = {"model calls": row.calls or None, "milliseconds": row.milliseconds}
    return {"planner": row.name, "candidates": row.candidates or None, **mean, **costs}


def drawn(folder: Path, rows: "list[Decisions]", title: str) -> str:
    """The picture's path, or why there is none."""
    from reverie.evaluate.media import write_planners

    try:
        return str(near(write_planners(folder, rows, title=title)[0]))
    except UserError as error:  # the table stands above
        return f"not drawn: {error}"
