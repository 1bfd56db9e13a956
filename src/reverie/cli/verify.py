"""`reverie verify ROW`: a claim of the ledger, run again; or a new row, recorded from finished runs.

The row says what to run. Every seed becomes a run of its own below `--folder` (the same line again resumes them), then
plays its evaluation episodes; fewer seeds than the row has must reach the goal in the same share. Exit code 1 says that
the claim does not hold.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from reverie.cli import outsider
from reverie.cli.arguments import parse, parse_seeds, print_json, table
from reverie.cli.watch import outcome, watching
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.evaluate import ledger
from reverie.evaluate.ledger import Claim, Goal, Seed

if TYPE_CHECKING:
    from reverie.run.run import Run


@dataclass(frozen=True)
class Verify:
    """Run a claim of the results folder again and say whether it holds (exit code 0) or not (1).

    With --record, write what was found as the row; from --runs that have finished, nothing is trained.

    examples:
      reverie verify cartpole
      reverie verify results/pendulum.json --seeds 0 --episodes 20
      reverie verify mine --record --runs runs/a runs/b --goal 475 --needed 2
    """

    row: Annotated[str, Positional, arg(metavar="ROW", help_behavior_hint="")] = ""
    """A file, or its name in --results."""
    seeds: tuple[str, ...] = ()
    """Which seeds to run: 0 1 2, or a range 0-4. None: those of the row."""
    episodes: int = 100
    """Evaluation episodes for each seed."""
    folder: Path = Path("runs/verify")
    """Where the runs go."""
    results: Path = Path("results")
    """Where the rows are."""
    record: bool = False
    """Write the outcome as the row."""
    runs: tuple[str, ...] = ()
    """With --record: finished runs of one setting and different seeds to take the outcome from."""
    goal: float | None = None
    """With --runs: what a seed must reach."""
    needed: int = 1
    """With --runs: how many seeds must reach the goal."""
    script: str = ""
    """With --runs: what trains an agent of another library in their dreams; the row's returns are that agent's."""
    measure: str = "mean"
    """With --runs: what must reach it, the mean; low, the lower end of its 95 % confidence interval; or gap, what the
    mean in dreams is above it."""
    json: bool = False
    """Print the outcome as a row."""


def main(words: list[str]) -> int:
    options = parse(Verify, words, verb="verify")
    if not options.row:
        raise UserError("which row? For example `reverie verify cartpole`; `results/` holds them.")
    if options.runs:
        if not options.record:
            raise UserError("--runs are taken to record a row: add --record, or leave --runs out to run the row again.")
        return report(options, recorded(options))
    path, claim = ledger.read(options.row, options.results)
    numbers = parse_seeds(options.seeds) if options.seeds else tuple(seed.seed for seed in claim.seeds)
    if not numbers:
        raise UserError(f"{path} names no seeds: say which with --seeds 0-4.")
    seeds = []
    for number in numbers:
        run = begin(claim, number, options.folder)
        with watching(run, machine=options.json):
            work(run)
        if run.stop:
            return outcome(run, machine=options.json)
        seeds.append(measured(run, options.episodes, claim.script))
    shared = claim.goal.scaled(len(seeds), len(claim.seeds) or len(seeds))
    goal = claim.goal if options.record else shared
    return report(options, dataclasses.replace(claim, goal=goal, seeds=tuple(seeds), **provenance()))


def begin(claim: Claim, seed: int, folder: Path) -> "Run":
    """The run of one seed of a claim, new or found again."""
    from reverie import api

    config = api.settings.override(api.size_config(claim.method, claim.size), claim.config)
    return api.start(
        claim.method,
        api.named(claim.environment, claim.name),
        size=claim.size,
        config=config,
        options=api.settings.override(EnvironmentConfig(), claim.environment_config),
        steps=claim.steps,
        budget=None,
        seed=seed,
        run=folder / f"{claim.name}-seed{seed}",
        new=False,
    )


def work(run: "Run") -> None:
    from reverie import api

    api.work(run)


def measured(run: "Run", episodes: int, script: str = "") -> Seed:
    """Evaluates a run, or whom the script trains in its dream, and gathers what the ledger keeps of it."""
    from reverie import api

    rows = run.metrics()
    seconds = max((row.get("seconds", 0.0) for row in rows), default=0.0)
    if script:
        world = run.manifest["environment"]
        return outsider.measured(script, run.directory, world, seed=run.seed, episodes=episodes, trained=seconds)
    agent = api.load(run.directory)
    result = api.evaluate(agent, episodes)
    dreamed = api.evaluate(agent, episodes, dream=True).returns if run.manifest["config"].get("dream") else ()
    curve = [(row["generation"], row["mean/return"]) for row in rows if "mean/return" in row]
    curve = curve or [(row["step"], row["episode/return"]) for row in rows if "episode/return" in row]
    return Seed(
        seed=run.seed,
        wall_clock=seconds,
        mean=result.mean,
        std=result.std,
        confidence=result.confidence,
        returns=result.returns,
        curve=ledger.thinned(curve),
        dreamed=dreamed,
    )


def recorded(options: Verify) -> Claim:
    """A claim made of finished runs."""
    from reverie import api

    if options.goal is None:
        raise UserError("what is claimed of these runs? Say it with --goal 475 (and --needed 4 for 4 of them).")
    goal = Goal(options.goal, options.needed, options.measure)
    runs = [api.Run.open(api.runs.find(name)) for name in options.runs]
    about = [_claimed(run) for run in runs]
    for run, other in zip(runs, about, strict=True):
        if other != about[0]:
            raise UserError(f"{run.directory} is another setting than {runs[0].directory}: {other} and {about[0]}.")
    seeds = tuple(measured(run, options.episodes, options.script) for run in runs)
    name = Path(options.row).name.removesuffix(".json")
    return Claim(name=name, goal=goal, script=options.script, seeds=seeds, **about[0], **provenance())


def provenance() -> dict[str, Any]:
    """Where the numbers come from: this machine, with its devices."""
    import jax

    return ledger.provenance([device.device_kind for device in jax.devices()])


def report(options: Verify, claim: Claim) -> int:
    """Prints the outcome, writes it where asked, and says by the exit code whether the claim holds."""
    if options.record:
        path = Path(options.row) if options.row.endswith(".json") else options.results / f"{options.row}.json"
        ledger.write(claim, path)
    if options.json:
        print_json({**dataclasses.asdict(claim), "met": claim.met})
        return 0 if claim.met else 1
    rows = [
        {"seed": seed.seed, "mean": seed.mean, "low": seed.confidence[0], "high": seed.confidence[1]}
        | ({"in dreams": sum(seed.dreamed) / len(seed.dreamed)} if seed.dreamed else {})
        | {"minutes": seed.wall_clock / 60, "reached": claim.goal.reached(seed)}
        for seed in claim.seeds
    ]
    goal, by = claim.goal, f"{claim.method} {claim.size}" + (f" and {claim.script}" if claim.script else "")
    print(table(rows))
    print(
        f"\n{claim.name}: {by} in {claim.environment}, {claim.steps:,} steps: "
        f"{goal.measure} of at least {goal.threshold:g} in {goal.needed} of {len(claim.seeds)}: "
        + ("the claim holds." if claim.met else "the claim does NOT hold.")
    )
    return 0 if claim.met else 1


def _claimed(run: "Run") -> dict[str, Any]:
    """What a run is, as far as all seeds of a claim share it."""
    from reverie import api

    about = run.manifest
    options = api.options_of(run)
    return {
        "method": about["method"],
        "environment": about["environment"],
        "size": about["size"],
        "steps": about["steps"],
        "repeat": api.make(api.named(about["environment"], run.directory), options).repeat,
        "config": _values(api.config_of(run)),
        "environment_config": _values(options),
    }


def _values(settings: Any) -> dict[str, Any]:
    """Every setting by its path, as JSON would give it back: a row stays what it is when the size's own change."""
    from reverie import api

    return {name: list(it) if isinstance(it, tuple) else it for name, it in api.settings.flat(settings).items()}
