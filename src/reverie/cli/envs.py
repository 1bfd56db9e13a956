"""`reverie envs list` and `reverie envs check ID`: which worlds there are, and whether one keeps the rules."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from tyro.conf import Positional, arg

from reverie.cli.arguments import choose, parse, print_json, show, table
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError

HELP = """usage: reverie envs list [--json]
       reverie envs check ID [--json] [--environment.pixels ...]

Any Gymnasium id works, and so does your own class as `module:Class`.

examples:
  reverie envs list
  reverie envs check CartPole-v1
  reverie envs check my_package.worlds:Maze --json"""


@dataclass(frozen=True)
class List:
    """List the known suites: installed, or which extra brings them, with ids to try."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Check:
    """Play an environment for a moment and report spaces, rewards, speed, determinism and how episodes end."""

    env: Annotated[str, Positional, arg(metavar="ENV", help_behavior_hint="")] = ""
    """An id, or `module:Class`."""
    environment: EnvironmentConfig = field(default_factory=EnvironmentConfig)
    json: bool = False
    """Print JSON."""


def main(words: list[str]) -> int:
    return choose(words, {"list": show_suites, "check": check}, of="envs", usage=HELP)


def show_suites(words: list[str]) -> int:
    options = parse(List, words, verb="envs list")
    from reverie.envs.suites import SUITES

    rows = [
        {
            "suite": suite.name,
            "installed": suite.installed,
            "install": "" if suite.installed else suite.remedy,
            "examples": list(suite.examples),
            "shows": suite.shows,
        }
        for suite in SUITES
    ]
    if options.json:
        print_json(rows)
    else:
        print(table([row | {"examples": " ".join(row["examples"])} for row in rows]))
    return 0


def check(words: list[str]) -> int:
    options = parse(Check, words, verb="envs check")
    if not options.env:
        raise UserError("which environment? For example `reverie envs check CartPole-v1`.")
    from reverie.envs import check as checker

    report = checker.check(options.env, options.environment)
    if options.json:
        print_json(report)
    else:
        print(table([{"what": name, "found": sentence(value)} for name, value in report.items()]))
    return 0


def sentence(value: Any) -> Any:
    """One finding on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {show(part)}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value
