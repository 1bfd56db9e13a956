"""`reverie train METHOD ENV`: one line that begins a run, resumes it, or continues it with more steps.

The options of the method are those of its size: METHOD and --size are looked for first, then every setting of it
can be changed on the line, `--config.batch 8`, and every setting of the environment, `--environment.pixels`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from tyro.conf import Positional, arg

from reverie.cli.arguments import parse, value_in
from reverie.cli.watch import outcome, watching
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.run import lock

Config = TypeVar("Config")


@dataclass(frozen=True)
class Train(Generic[Config]):
    """Train METHOD in ENV. The same line again resumes the run; more --steps continue a finished one.

    examples:
      reverie train dreamer3 CartPole-v1 --size nano --budget 5m
      reverie train dreamer3 Pendulum-v1 --steps 30000 --seed 1 --run runs/pendulum
      reverie train vmc VizdoomTakeCover-v1 --dream
      reverie train dreamer3 --help                    every setting of the method, --config.*
      reverie train dreamer3 my_package.worlds:Maze --environment.pixels --config.experience.train-ratio 32
    """

    config: Config
    """The settings of the method, at the chosen size."""
    method: Annotated[str, Positional, arg(metavar="METHOD", help_behavior_hint="")] = ""
    """The method: planet, dreamer1, dreamer2, dreamer3 or vmc."""
    env: Annotated[str, Positional, arg(metavar="ENV", help_behavior_hint="")] = ""
    """A Gymnasium id (`reverie envs list`), or a class of yours: module:Class."""
    size: str = "nano"
    """One dial for the whole method. dreamer3: nano and tiny for CPUs, then the paper's 1m 12m 25m 50m 100m 200m 400m;
    the others: nano for CPUs (tiny for pictures, not of vmc), and paper."""
    steps: int = 0
    """Train until so many steps of the simulator. 0: until the budget is used, or 100,000."""
    budget: Annotated[str, arg(metavar="TIME", help_behavior_hint="")] = ""
    """Train for so long: 90s, 10m, 2h (a bare number: seconds)."""
    seed: int = 0
    """Everything random in the run follows from it."""
    run: Annotated[str, arg(metavar="DIR", help_behavior_hint="")] = ""
    """The run folder. Empty: runs/METHOD-ENV-SIZE-seedSEED."""
    new: bool = False
    """Start another folder, even if the same run exists."""
    save_every: Annotated[float | None, arg(metavar="SECONDS")] = None
    """Seconds between two checkpoints of a new run: what a killed one does again at most. Not given: 60."""
    until: Annotated[str, arg(metavar="STAGE", help_behavior_hint="")] = ""
    """vmc: stop after collect, vision, memory or evolution; the same line without it goes on."""
    begin_with: Annotated[str, arg(metavar="RUN", help_behavior_hint="")] = ""
    """vmc: take over the stages of another run, as far as nothing about them is different here."""
    json: bool = False
    """Print one JSON object per report, and a last one with the outcome."""
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)


@dataclass(frozen=True)
class NoSettings:
    """`reverie train METHOD ENV --help` shows the settings of a method."""


def main(words: list[str]) -> int:
    if words in (["-h"], ["--help"]):
        parse(Train[NoSettings], words, verb="train", default=Train(NoSettings()))
    if folder := value_in(words, "--run"):
        lock.refuse_if_held(Path(folder))
    from reverie import api

    base = api.size_config(method_in(words, api.methods()), value_in(words, "--size", "nano"))
    options = parse(Train[type(base)], words, verb="train", default=Train(base))
    if not options.env:
        raise UserError(f"in which environment? For example `reverie train {options.method} CartPole-v1`.")
    stages = api.staged(options.method, options.until, options.begin_with)
    run = api.start(
        options.method,
        options.env,
        size=options.size,
        config=options.config,
        options=options.environment,
        steps=options.steps or None,
        budget=options.budget or None,
        seed=options.seed,
        run=Path(options.run) if options.run else None,
        new=options.new,
        save_every=options.save_every,
    )
    with watching(run, machine=options.json):
        api.work(run, options.env, **stages)
    return outcome(run, machine=options.json)


def method_in(words: Sequence[str], known: Sequence[str]) -> str:
    """The first word that is a method; with none, the first word that could have been meant is said to be wrong."""
    found = [word for word in words if word in known]
    if found:
        return found[0]
    if words and not words[0].startswith("-"):
        from reverie.run.settings import nearest

        raise UserError(f"there is no method {words[0]!r}. {nearest(words[0], known)}")
    raise UserError("which method, and where? For example `reverie train dreamer3 CartPole-v1`.")
