"""From a name, or a function that makes one, to an `Environment`.

    CartPole-v1            whatever Gymnasium knows            ALE/Breakout-v5    a suite of ours (`envs.suites`)
    my_module:Room         a class or function of yours        my_module:Room-v0  an id that your module registers

Wrappers, from the inside out: the environment's own, `TimeLimit`, `Repeat`, `Pixels`; then `Conversion`.
"""

import contextlib
import difflib
import importlib
import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import gymnasium

from reverie.envs.config import EnvironmentConfig as EnvironmentConfig
from reverie.envs.environment import Env, World
from reverie.envs.environment import Environment as Environment
from reverie.envs.suites import SUITES, Suite, suite_of
from reverie.envs.wrappers import Pixels, Repeat
from reverie.errors import UserError

Factory = Callable[[], Any]
UNKNOWN = (gymnasium.error.UnregisteredEnv, gymnasium.error.DeprecatedEnv)


def make(environment: str | Factory, config: EnvironmentConfig | None = None, *, render: bool = False) -> Environment:
    """An environment, ready to be reset.

    Args:
        environment: an id (see above), or a function or class that takes no arguments and gives a `gymnasium.Env`.
        config: how it is shown and stepped.
        render: whether `render()` will be asked for.
    """
    config = config or EnvironmentConfig()
    return Environment(name_of(environment), _world(environment, config, render or config.pixels), config)


def name_of(environment: str | Factory) -> str:
    """What an environment is called in messages, manifests and tables."""
    if isinstance(environment, str):
        return environment
    made = getattr(environment, "func", environment)
    return f"{made.__module__}:{getattr(made, '__qualname__', type(made).__qualname__)}"


def gym_make(name: str, config: EnvironmentConfig, render: bool, **arguments: Any) -> Env:
    """`gymnasium.make`, with its time limit as configured and its errors said with their remedy."""
    suite = suite_of(name)
    if suite and suite.installed and suite.registers:
        importlib.import_module(suite.registers)
    if config.time_limit:
        arguments["max_episode_steps"] = config.time_limit
    if render:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())  # SDL calls it an error if there is none
    try:
        return gymnasium.make(name, render_mode="rgb_array" if render else None, disable_env_checker=True, **arguments)
    except UNKNOWN as error:
        raise UserError(f"There is no environment {name!r}. {_nearest(name)}") from error
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        remedy = suite.remedy if suite else f"install what it needs ({error})"
        raise UserError(f"{name} is not installed: {remedy}", code=78) from error


@contextlib.contextmanager
def theirs(what: str) -> Generator[None, None, None]:
    """Around the first making of an environment: what fails in a user's own code is told with its lines, as theirs."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        lines = traceback.format_exception(error)
        raise UserError(
            f"{what} could not be made, for a reason of its own:\n{''.join(lines).rstrip()}", code=70
        ) from error


def wrapped(env: Env, config: EnvironmentConfig, *, limited: bool) -> World:
    """The common wrappers, for suites whose environments need nothing of their own.

    Args:
        env: the environment.
        config: what to wrap it with.
        limited: whether `config.time_limit` is already obeyed.
    """
    if config.time_limit and not limited:
        env = gymnasium.wrappers.TimeLimit(env, config.time_limit)
    if config.repeat > 1:
        env = Repeat(env, config.repeat)
    if config.pixels:
        env = Pixels(env, config.size)
    return World(env, repeat=max(config.repeat, 1))


def _world(environment: str | Factory, config: EnvironmentConfig, render: bool) -> World:
    if not isinstance(environment, str):
        return wrapped(_called(environment, render), config, limited=False)
    suite = suite_of(environment)
    if suite:
        return _built(suite, environment, config, render)
    module, colon, name = environment.partition(":")
    if colon and not (module and name):
        raise UserError(f"{environment!r} is no environment: write module:Class, or a Gymnasium id.")
    if not colon:
        return wrapped(gym_make(environment, config, render), config, limited=True)
    before = set(gymnasium.registry)
    found = _attribute(_module(module, environment), name)
    if found is not None:
        return wrapped(_called(found, render), config, limited=False)
    if name in gymnasium.registry:
        return wrapped(gym_make(name, config, render), config, limited=True)
    new = ", ".join(sorted(set(gymnasium.registry) - before)) or "none"
    raise UserError(f"Module {module!r} has no class or function {name!r}, and ids that it registers: {new}.")


def _built(suite: Suite, name: str, config: EnvironmentConfig, render: bool) -> World:
    if not suite.installed:
        raise UserError(f"{name} needs {suite.name}, which is not installed: {suite.remedy}", code=78)
    if not suite.module:
        return wrapped(gym_make(name, config, render), config, limited=True)
    return importlib.import_module(f"reverie.envs.{suite.module}").build(name, config, render)


def _called(factory: Factory, render: bool) -> Env:
    arguments = {"render_mode": "rgb_array"} if render and "render_mode" in _parameters(factory) else {}
    if any(parameter.default is parameter.empty for parameter in _parameters(factory).values()):
        raise UserError(f"{name_of(factory)} needs arguments: {inspect.signature(factory)}. Needed: one without.")
    env = factory(**arguments)
    missing = [part for part in ("reset", "step", "observation_space", "action_space") if not hasattr(env, part)]
    if missing:
        raise UserError(
            f"{name_of(factory)} gave {type(env).__name__}, which lacks {', '.join(missing)}. Needed: a gymnasium.Env."
        )
    return env


def _parameters(factory: Factory) -> dict[str, inspect.Parameter]:
    """Those that are asked for by name or place; `*args` and `**kwargs` ask for nothing."""
    collecting = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        given = inspect.signature(factory).parameters
    except ValueError:  # some built-in callables do not say
        return {}
    return {name: parameter for name, parameter in given.items() if parameter.kind not in collecting}


def _module(name: str, environment: str) -> Any:
    """The module, also from the folder one stands in, as `python -m` would find it."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    with theirs(environment):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0] and error.name != name:
                raise UserError(f"{environment!r} needs {error.name!r}, which is not installed.", code=78) from error
            raise UserError(
                f"{environment!r}: there is no module {name!r} in {here} or among the installed packages."
            ) from error


def _attribute(module: Any, name: str) -> Factory | None:
    found = getattr(module, name, None) if name.isidentifier() else None
    return found if callable(found) else None


def _nearest(name: str) -> str:
    known = [*gymnasium.registry, *(example for suite in SUITES for example in suite.examples)]
    folded = {known_name.lower(): known_name for known_name in known}
    near = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.5)
    listed = f"Nearest: {', '.join(folded[match] for match in near)}. " if near else ""
    return f"{listed}`reverie envs list` shows what there is; your own is `module:Class`."
