"""`reverie demo`: from nothing to an agent, its score, and films of it awake and dreaming, in a few minutes."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from reverie.cli.arguments import near, parse, print_line
from reverie.cli.progress import duration
from reverie.cli.watch import outcome, watching

if TYPE_CHECKING:
    from reverie.run.run import Run

GOAL = 475.0
"""CartPole-v1 counts as solved."""


@dataclass(frozen=True)
class Demo:
    """Train DreamerV3 on CartPole-v1, evaluate it, and film it awake and dreaming. The same line again resumes.

    examples:
      reverie demo
      reverie demo --seed 1 --new
      reverie demo --env Acrobot-v1 --steps 50000
    """

    method: str = "dreamer3"
    """The method."""
    env: str = "CartPole-v1"
    """The environment."""
    size: str = "nano"
    """The method's size."""
    steps: int = 24_000
    """Train until so many steps of the simulator."""
    seed: int = 0
    """Everything random in the run follows from it."""
    episodes: int = 100
    """How many to evaluate over."""
    run: Annotated[str, arg(metavar="DIR", help_behavior_hint="")] = ""
    """The run folder. Empty: runs/METHOD-ENV-SIZE-seedSEED."""
    new: bool = False
    """Start another folder, even if the same run exists."""
    json: bool = False
    """Print one JSON object per report, and a last one with the score and the files."""


def main(words: list[str]) -> int:
    options = parse(Demo, words, verb="demo")
    begun = time.monotonic()
    say = _silent if options.json else print
    say(f"{options.method} learns {options.env} from scratch, {options.steps:,} steps of the simulator.")
    from reverie import api

    run = begin(options)
    with watching(run, machine=options.json):
        api.work(run, options.env)
    if run.stop:
        return outcome(run, machine=options.json)
    say(f"trained for {duration(run.seconds)}; now {options.episodes} episodes in fresh environments ...")
    agent = api.load(run.directory, environment=options.env)
    result = api.evaluate(agent, options.episodes)
    say("drawing the learning curve, the agent and its dream ...")
    shown = api.draw(agent, goal=GOAL if options.env == "CartPole-v1" else None)
    if options.json:
        files = [str(path) for path in shown.files]
        print_line({"event": "demo", "run": str(near(run.directory)), **result.to_json(), "media": files})
        return 0
    say("\n".join([f"  {path}" for path in shown.files] + [f"  not drawn: {why}" for why in shown.missing]))
    low, high = result.confidence
    score = f"score: {result.mean:.1f} ± {result.std:.1f} over {result.n} episodes"
    say(f"\n{score} (95 % confidence interval of the mean: {low:.1f} to {high:.1f})")
    say(f"trained for {duration(run.seconds)}; this command took {duration(time.monotonic() - begun)} in all")
    say(following(options, run))
    return 0


def begin(options: Demo) -> "Run":
    """The run folder, new or found again."""
    from reverie import api
    from reverie.envs.config import EnvironmentConfig

    return api.start(
        options.method,
        options.env,
        size=options.size,
        config=api.size_config(options.method, options.size),
        options=EnvironmentConfig(),
        steps=options.steps,
        budget=None,
        seed=options.seed,
        run=options.run or None,
        new=options.new,
    )


def following(options: Demo, run: "Run") -> str:
    """What to type next."""
    return "\n".join(
        (
            "\nnext:",
            f"  reverie eval {near(run.directory)} --episodes 20",
            f"  reverie resume {near(run.directory)} --steps {2 * options.steps}",
            f"  reverie train {options.method} Pendulum-v1 --steps 30000",
            "  reverie envs list",
        )
    )


def _silent(text: str) -> None:
    """Machines read the events alone."""
