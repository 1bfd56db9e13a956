"""What users import: train, resume, load, and the agent that comes out.

    agent = reverie.train("dreamer3", "CartPole-v1", size="nano", steps=30_000)
    agent = reverie.load("runs/dreamer3-CartPole-v1-nano-seed0")
    agent.reset()
    action = agent.act(observation)

The same call again resumes the same run; more `steps` continue a finished one; `new=True` starts another folder.
Elsewhere: the agent itself (`run/agent.py`), what a run folder holds (`run/run.py`), what a method learns (`methods/`).
"""

import dataclasses
import importlib
import logging
import math
import pkgutil
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import gymnasium
import numpy as np

import reverie.methods
from reverie.envs.config import EnvironmentConfig
from reverie.envs.dream import Dream, Scene, VectorDream, at_temperature
from reverie.envs.make import make, name_of, theirs
from reverie.errors import UserError
from reverie.evaluate.media import Media, media
from reverie.evaluate.returns import Returns, bootstrap
from reverie.run import budget as budgets
from reverie.run import compilation, exported, failure, lock, manifest, runs, settings
from reverie.run.agent import Agent
from reverie.run.agent import World as World
from reverie.run.encoded import STARTS
from reverie.run.firsts import first_observations
from reverie.run.folder import family, latest
from reverie.run.run import Run

DEFAULT_STEPS = 100_000
"""Where a run ends that was not told."""


def train(
    method: str,
    environment: World,
    *,
    size: str = "nano",
    steps: int | None = None,
    budget: str | None = None,
    seed: int = 0,
    run: str | Path | None = None,
    new: bool = False,
    save_every: float | None = None,
    until: str = "",
    begin_with: str | Path = "",
    **overrides: Any,
) -> Agent:
    """Train a method in an environment, from scratch or from where the same call was interrupted.

    Args:
        method: `planet`, `dreamer1`, `dreamer2`, `dreamer3` or `vmc`.
        environment: a Gymnasium id, `module:Class`, or your class or function itself.
        size: one dial for the whole method: nano, tiny, 1m, 12m, 25m, 50m, 100m, 200m, 400m.
        steps: train until so many steps of the simulator.
        budget: or for so long: "90s", "10m", "2h".
        seed: everything random follows from it.
        run: the run folder; `runs/METHOD-ENVIRONMENT-SIZE-seedSEED` if not given.
        new: start another folder even if this one exists.
        save_every: seconds between two checkpoints of a new run; 60 if not given.
        until: of a method that learns in stages, the one after which to stop; the same call without it goes on.
        begin_with: a run whose stages a new one takes over, as far as nothing about them is different.
        overrides: settings of the method, `train_ratio=32`, or of the environment, `pixels=True`; where both have
            one, or for parts of parts, by path: `**{"environment.size": 96}`.
    """
    config, options = overridden(size_config(method, size), EnvironmentConfig(), overrides)
    stages = staged(method, until, begin_with)
    begun = start(
        method, environment, size=size, config=config, options=options,
        steps=steps, budget=budget, seed=seed, run=run, new=new, save_every=save_every,
    )  # fmt: skip
    return _trained(begun, environment, **stages)


def resume(run: str | Path, *, steps: int | None = None, environment: World | None = None) -> Agent:
    """Continue a run from its newest checkpoint; `steps` moves its end. `environment`: see `load`."""
    return _trained(again(run, steps=steps), environment)


def load(run: str | Path, *, at: int | None = None, environment: World | None = None) -> Agent:
    """The agent of a run folder, as of its newest checkpoint, or as it was at an earlier step.

    Args:
        run: the folder, or the name of a run in `runs/`.
        at: a step: then what was learned is that of the nearest snapshot (`run.snapshots`), in half precision.
        environment: only for a class or function of yours that is not imported already: a file does not choose what is.
    """
    opened = Run.open(runs.find(run))
    opened.at = at
    world = environment or named(said(opened, "environment"), opened.directory)
    options = options_of(opened)
    conversions = exported.conversions(opened.directory, world, options)
    try:
        trained = method(said(opened, "method")).load(opened, config_of(opened), conversions.spaces)
    except UserError as error:
        if name_of(world) == opened.manifest["environment"]:
            raise
        raise UserError(f"{name_of(world)} is not the world of this run, and not like it: {error}") from error
    return Agent(opened.directory, trained, world, options, conversions, opened.step)


def evaluate(
    agent: Agent, episodes: int = 100, *, seeds: Sequence[int] = (0,), dream: bool = False,
    temperature: float | None = None,
) -> Returns:  # fmt: skip
    """Plays `episodes` whole episodes for each seed, all counted together, and notes the outcome in the run folder.

    Args:
        agent: what plays.
        episodes, seeds: how many, and which.
        dream: in the states of its own model, instead of in the world.
        temperature: of those dreams; the run's own, if not given.
    """
    if episodes < 1 or not seeds:
        raise UserError(f"an evaluation needs at least one episode and one seed, got {episodes} and {list(seeds)}.")
    if temperature is not None and not dream:
        raise UserError("only dreams have a temperature: say that they are meant, `dream=True` or --dream.")
    score = partial(agent.dreamed, temperature=temperature) if dream else agent.evaluate
    parts = [score(episodes, seed=seed) for seed in seeds]
    together = tuple(value for part in parts for value in part.returns)
    lengths = tuple(length for part in parts for length in part.lengths)
    confidence = parts[0].confidence if len(parts) == 1 else bootstrap(np.array(together), seed=seeds[0])
    result = Returns(together, lengths, episodes * len(seeds), confidence)
    if exported.is_one(agent.run):
        return result
    try:
        opened = Run.open(agent.run)
        kind = "dreamed" if dream else "evaluation"
        opened.evaluated(agent.step, **{f"{kind}/{name}": getattr(result, name) for name in ("mean", "std", "n")})
    except UserError as error:  # the score was computed, and is given all the same
        logging.getLogger("reverie").warning("%s: the score is not noted. %s", agent.run.name, error)
    return result


def draw(agent: Agent, *, goal: float | None = None, temperatures: Sequence[float] = (), steps: int = 300) -> Media:
    """The learning curve, films of the agent and of its dreams, into the run's `media`; of weights, `./NAME/media`.

    Args:
        agent: what acts and dreams.
        goal: drawn as a line, if given.
        temperatures: of dreams side by side, of a model that has one; the paper's, if not given.
        steps: that these dreams go on for.
    """
    opened = Run.open(agent.run)
    about = opened.manifest
    title = f"{about['method']} {about['size']} in {about['environment']}, seed {about['seed']}"
    return media(
        agent.pictures, agent.trained, agent.environment, agent.options, title=title, metrics=opened.metrics(),
        goal=goal, temperatures=temperatures, steps=steps,
    )  # fmt: skip


def dream(
    run: str | Path, *, temperature: float | None = None, count: int | None = None, limit: int | None = None,
    environment: World | None = None, render_mode: str | None = None,
) -> Dream | VectorDream:  # fmt: skip
    """The dream of a run's model as a `gymnasium.Env`, or `count` of them as a `VectorEnv`.

    Args:
        run: the folder, or the name of a run in `runs/`.
        temperature: of a model that has one (vmc); its own, if not given.
        count: how many at once; None: one, alone.
        limit: steps after which an episode is truncated; the world's own, if not given.
        environment: see `load`.
        render_mode: None or rgb_array.
    """
    if count is not None and count < 1:
        raise UserError(f"dreams are at least 1, got {count}.")
    agent = load(run, environment=environment)
    trained, world = agent.trained, agent.conversions
    trained = trained if temperature is None else at_temperature(trained, temperature)
    limit, firsts = world.limit if limit is None else limit, first_observations(agent.run, STARTS)
    scene = Scene(trained, firsts, world.action_space, world.taken, limit=limit, draw=world.draw, fps=world.fps)
    return Dream(scene, render_mode) if count is None else VectorDream(scene, count)


def vector_dream(run: str | Path, *, num_envs: int = 1, **options: Any) -> VectorDream:
    """`dream` as `gymnasium.make_vec("reverie/Dream-v0", num_envs, run=...)` asks for it."""
    return cast(VectorDream, dream(run, count=num_envs, **options))


def export(run: str | Path, folder: str | Path, *, environment: World | None = None) -> Path:
    """What acts and dreams of a run, in half precision, in a folder of its own that is loaded like a run.

    Args:
        run: the folder, or the name of a run in `runs/`.
        folder: to be made.
        environment: see `load`.
    """
    opened, folder = Run.open(runs.find(run)), Path(folder)
    world = make(environment or named(said(opened, "environment"), opened.directory), options_of(opened))
    world.close()
    method(said(opened, "method")).load(opened, config_of(opened), world.spaces)
    beginnings = first_observations(opened.directory, exported.BEGINNINGS)
    exported.write(folder, opened.manifest, opened.loaded, world, beginnings, opened.metrics())
    return folder


def replay_failure(folder: str | Path) -> dict[str, float]:
    """The metrics of the update that ended a run, computed again from the `failures/STEP` it left."""
    folder = Path(folder)
    opened = Run.open(folder.absolute().parent.parent)
    module, config = method(said(opened, "method")), config_of(opened)
    world = make(named(said(opened, "environment"), opened.directory), options_of(opened))
    world.close()
    return failure.replay(folder, module, world.spaces, config)


# ---------------------------------------------------------------------------------------------- steps of the above


def methods() -> list[str]:
    """The names of all methods: the modules of `reverie.methods`."""
    found = (module.name for module in pkgutil.iter_modules(reverie.methods.__path__))
    return sorted(name for name in found if not name.endswith("_config"))


def method(name: str) -> ModuleType:
    """A method's module: `Config`, `SIZES`, `parameters`, `initialise`, `update`, `train`, `load`.

    One may have `options`, its own view of worlds that it knows, and `default_steps`, the length of a run by its
    settings. jax is made ready before it is imported.
    """
    if name not in methods():
        raise UserError(f"there is no method {name!r}. {settings.nearest(name, methods())}")
    compilation.cache()
    return importlib.import_module(f"reverie.methods.{name}")


def size_config(name: str, size: str) -> Any:
    """The settings of a method at one of its sizes."""
    sizes = method(name).SIZES
    if size not in sizes:
        raise UserError(f"{name} has no size {size!r}. {settings.nearest(size, sizes)}")
    return sizes[size]


def overridden(config: Any, options: EnvironmentConfig, overrides: Mapping[str, Any]) -> tuple[Any, EnvironmentConfig]:
    """Both with other values, each given by its name or by as much of its path as makes it one."""
    paths = [f"config.{path}" for path in settings.flat(config)]
    paths += [f"environment.{path}" for path in settings.flat(options)]
    for name, value in overrides.items():
        found = [path for path in paths if f".{path}".endswith(f".{name}")]
        if len(found) > 1:
            raise UserError(f"the setting {name!r} could be {' or '.join(found)}: give more of its path.")
        if not found:
            last = {path.rpartition(".")[2]: path for path in paths}
            raise UserError(f"there is no setting {name!r}. {settings.nearest(name.rpartition('.')[2], last)}")
        whose, _, path = found[0].partition(".")
        if whose == "config":
            config = settings.override(config, {path: value})
        else:
            options = settings.override(options, {path: value})
    return config, options


def start(
    name: str,
    environment: World,
    *,
    size: str,
    config: Any,
    options: EnvironmentConfig,
    steps: int | None,
    budget: str | None,
    seed: int,
    run: str | Path | None,
    new: bool,
    save_every: float | None = None,
) -> Run:
    """The run folder, created or found again. The environment is opened once, so that a wrong id leaves no folder."""
    if save_every is not None and not 0 <= save_every < math.inf:
        raise UserError(f"checkpoints are saved every so many seconds, from 0 on; got {save_every}.")
    if seed not in range(2**31):  # which 1.5 is not either
        raise UserError(f"a seed is a whole number from 0 to {2**31 - 1}, got {seed}.")
    runs_here, run = runs.FOLDER.absolute(), Path(run).absolute() if run else None  # before anybody changes folders
    module = method(name)
    if hasattr(module, "options"):
        options = module.options(name_of(environment), options, config)
    description = {
        "method": name,
        "environment": name_of(environment),
        "size": size,
        "seed": seed,
        "config": dataclasses.asdict(config),
        "environment_config": dataclasses.asdict(options),
        "steps": steps,
        "budget": budgets.parse_duration(budget) if budget else None,
        "every": {} if save_every is None else {"checkpoint": save_every},
    }
    defaults = {"config": dataclasses.asdict(type(config)()), "environment_config": dataclasses.asdict(type(options)())}
    slug = re.sub(r"[^\w.]+", "-", name_of(environment)).strip("-")
    folder = run or runs_here / f"{name}-{slug}-{size}-seed{seed}"
    if new:
        folder = next(path for path in family(folder) if not path.exists())
    elif not run:
        folder = latest(folder, description, defaults)
    lock.refuse_if_held(folder)
    with theirs(name_of(environment)):
        make(environment, options).close()
    if steps is None and budget is None and not (folder / manifest.FILE).exists():
        description["steps"] = module.default_steps(config) if hasattr(module, "default_steps") else DEFAULT_STEPS
    return Run.create(folder, description, defaults=defaults)


def staged(name: str, until: str = "", begin_with: str | Path = "") -> dict[str, Any]:
    """What `work` is to be told of a method's stages."""
    stages: Mapping[str, Any] = getattr(method(name), "STAGES", {})
    if (until or begin_with) and not stages:
        raise UserError(f"{name} learns everything at once; one with stages, such as vmc, can do them singly.")
    if until and until not in stages:
        raise UserError(f"{name} has no stage {until!r}. {settings.nearest(until, stages)}")
    other = {"begin_with": runs.find(begin_with).absolute()} if begin_with else {}
    return other | ({"until": until} if until else {})


def again(run: str | Path, *, steps: int | None = None) -> Run:
    """A run that exists, its end moved if asked."""
    opened = Run.open(runs.find(run))
    return Run.create(opened.directory, opened.manifest | {"steps": steps}) if steps else opened


def work(run: Run, environment: World | None = None, **stages: Any) -> None:
    """Train until the run is finished or a signal asks to stop (then `run.stop` says which); for `stages` see there."""
    with run:
        module, known = method(said(run, "method")), said(run, "environment")
        if environment and name_of(environment) != known:
            raise UserError(f"{run.directory} is a run in {known}, and cannot go on in {name_of(environment)}.")
        module.train(run, config_of(run), environment or named(known, run.directory), options_of(run), **stages)


def named(environment: str, where: object) -> str:
    """The environment that a file names; refused where that would import a module, for only a user asks for that."""
    if ":" in environment and not _is_imported(environment):
        raise UserError(
            f"{where} names {environment!r}, and a file does not choose which module is imported. If you trust it, "
            f"say so: environment={environment!r}, or `--environment {environment}` on the command line."
        )
    return environment


def _is_imported(environment: str) -> bool:
    """Whether `module:Class` is a class of environments that this process knows anyhow."""
    module, _, name = environment.partition(":")
    found = vars(sys.modules[module]).get(name) if module in sys.modules else None
    return isinstance(found, type) and issubclass(found, gymnasium.Env)


def config_of(run: Run) -> Any:
    """The settings of the method that a run was begun with."""
    return settings.from_json(method(said(run, "method")).Config, said(run, "config"))


def options_of(run: Run) -> EnvironmentConfig:
    """The settings of the environment that a run was begun with."""
    return settings.from_json(EnvironmentConfig, said(run, "environment_config"))


def said(run: Run, name: str) -> Any:
    """What a run's manifest says; one that was edited may say nothing."""
    if name not in run.manifest:
        raise UserError(f"{run.directory / manifest.FILE} does not say {name!r}. Restore it from a copy.", code=64)
    return run.manifest[name]


def _trained(run: Run, environment: World | None, **stages: Any) -> Agent:
    work(run, environment, **stages)
    if run.stop == signal.SIGINT:
        raise KeyboardInterrupt
    if run.stop:
        raise SystemExit(128 + run.stop)
    return load(run.directory, environment=environment)
