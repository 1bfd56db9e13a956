"""`reverie plan RUN`: act in the real world by planning every action in the imagination of a trained model.

The options of the planner are those of --planner, which is looked for first; with other --candidates the elites stay
the same share of them.
"""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from tyro.conf import Positional, arg

from reverie.behaviours.planner_config import PlanningConfig, configured
from reverie.cli.arguments import near, parse, print_json, value_in
from reverie.errors import UserError

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Plan(Generic[Settings]):
    """Play episodes in which every action is planned in the model of a run: its returns, and what a decision costs.

    The model needs a reward head: every method's has one, vmc's with --dream or --config.rewards.

    examples:
      reverie plan runs/dreamer3-CartPole-v1-nano-seed0 --planner cem --candidates 100
      reverie plan dreamer3-CartPole --planner mppi --horizon 12 --value
      reverie plan dreamer3-CartPole --planner icem --candidates 50 --proposals 8 --episodes 5 --json
      reverie plan --planner gradient --help          the numbers of a planner
    """

    settings: Annotated[Settings, arg(name="")]
    """The numbers of the planner."""
    how: Annotated[PlanningConfig, arg(name="")]
    """How it plans."""
    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    planner: str = "cem"
    """What plans: shooting, cem, icem, mppi or gradient."""
    episodes: int = 10
    """How many are played."""
    seed: int = 0
    """Of the episodes: those of `reverie eval --seeds` with the same number."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""
    json: bool = False
    """Print a JSON object with the costs of a decision, mean, std, confidence, episodes, returns and lengths."""


def main(words: list[str]) -> int:
    candidates = value_in(words, "--candidates")
    numbers = {"candidates": int(candidates)} if candidates.isdecimal() else {}
    _, base = configured(value_in(words, "--planner", "cem"), **numbers)
    options = parse(Plan[type(base)], words, verb="plan", default=Plan(base, PlanningConfig()))
    if not options.run:
        raise UserError("which run? `reverie runs` lists them.")
    if options.episodes < 1:
        raise UserError(f"at least one episode is to be played, got {options.episodes}.")
    from reverie import api

    agent = api.load(options.run, environment=options.environment or None)
    planner = agent.planning(options.planner, **vars(options.how), **vars(options.settings))
    result = planner.decisions(options.planner, options.episodes, seed=options.seed)
    if options.json:
        print_json({"run": str(near(agent.run)), **result.to_json()})
        return 0
    low, high = result.returns.confidence
    print(
        f"{near(agent.run)}, planned by {options.planner}: {result.returns.mean:.6g} ± {result.returns.std:.3g}",
        end=" ",
    )
    print(f"over {result.returns.n} episodes\n95 % confidence interval of the mean: {low:.6g} to {high:.6g}")
    print(f"{result.milliseconds:.3g} milliseconds per decision, in which {result.calls:,} steps are imagined")
    return 0
