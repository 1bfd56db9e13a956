"""`reverie eval RUN`: whole episodes in fresh environments, and what they returned."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import near, parse, parse_seeds, print_json
from reverie.errors import UserError


@dataclass(frozen=True)
class Evaluate:
    """Play episodes with the agent of a run and print the mean return with its 95 % confidence interval.

    examples:
      reverie eval runs/dreamer3-CartPole-v1-nano-seed0
      reverie eval dreamer3-CartPole --episodes 20 --seeds 0-4
      reverie eval dreamer3-CartPole --at 10000
      reverie eval dreamer3-CartPole --json
      reverie eval runs/vmc-VizdoomTakeCover-v1-nano-seed0 --dream --temperature 0.5
    """

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    episodes: int = 100
    """How many, for each seed."""
    seeds: tuple[str, ...] = ("0",)
    """Each begins other episodes: 0 1 2, or a range 0-4."""
    at: int | None = None
    """As it was at this step, by the nearest of the run's snapshots. Not given: as it is."""
    dream: bool = False
    """vmc: in the dreams of its own model, where `reverie eval` otherwise plays in the world."""
    temperature: float | None = None
    """With --dream: of those dreams. Not given: the run's own."""
    environment: str = ""
    """Needed for a run in `module:Class`: its name again, as a file does not choose what is imported."""
    json: bool = False
    """Print a JSON object with mean, std, confidence, episodes, returns and lengths."""


def main(words: list[str]) -> int:
    options = parse(Evaluate, words, verb="eval")
    if not options.run:
        raise UserError("which run? `reverie runs` lists them.")
    seeds = parse_seeds(options.seeds)
    from reverie import api

    agent = api.load(options.run, at=options.at, environment=options.environment or None)
    result = api.evaluate(agent, options.episodes, seeds=seeds, dream=options.dream, temperature=options.temperature)
    if options.json:
        print_json({"run": str(near(agent.run)), "step": agent.step, **result.to_json()})
        return 0
    low, high = result.confidence
    played = "dreams" if options.dream else "episodes"
    then = "" if options.at is None else f" at step {agent.step:,}"
    print(f"{near(agent.run)}{then}: {result.mean:.6g} ± {result.std:.3g} over {result.n} {played}")
    print(f"95 % confidence interval of the mean: {low:.6g} to {high:.6g}")
    return 0
