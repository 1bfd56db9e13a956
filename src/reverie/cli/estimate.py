"""`reverie estimate METHOD`: how many parameters a method has for given observations and actions, before any training.

Nothing is allocated: shapes alone are traced. An observation is an image `64x64x3` or numbers `24`; several make one
world. Actions are choices `17`, several choices at once `5,3`, or continuous numbers `6c`.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from reverie.cli.arguments import parse, print_json, table
from reverie.errors import UserError
from reverie.types import ArraySpec, Spaces

BYTES = 4
"""Parameters are kept in float32 on every device."""
COPIES = 4
"""The learner holds each parameter, its gradient and the optimiser's two moments."""


@dataclass(frozen=True)
class Estimate:
    """Count a method's parameters and the memory they need, without training or allocating anything.

    examples:
      reverie estimate dreamer3 --observation 64x64x3 --actions 17 --size 200m
      reverie estimate dreamer3 --observation 24 --actions 6c --size 12m --json
      reverie estimate dreamer3 --env CartPole-v1
    """

    method: Annotated[str, Positional, arg(metavar="METHOD", help_behavior_hint="")] = "dreamer3"
    """The method."""
    observation: tuple[str, ...] = ()
    """What the world shows: an image, 64x64x3 (height, width, channels), or numbers, 24. Several are shown at once."""
    actions: str = ""
    """What can be done: one of 17 choices, 17; several choices at once, 5,3; six continuous numbers, 6c."""
    env: str = ""
    """An environment to take both from, instead."""
    size: str = "nano"
    """How large the method is: nano, tiny, 1m, 12m, 25m, 50m, 100m, 200m, 400m."""
    json: bool = False
    """Print JSON."""


def main(words: list[str]) -> int:
    options = parse(Estimate, words, verb="estimate")
    spaces = _spaces(options)
    from reverie import api

    config = api.size_config(options.method, options.size)
    parts = api.method(options.method).parameters(spaces, config)
    total = sum(parts.values())
    memory = {"weights_bytes": BYTES * total, "learner_bytes": BYTES * COPIES * total}
    if options.json:
        settings = {"method": options.method, "size": options.size, "observation": _text(spaces)}
        print_json(settings | {"parameters": {"total": total, **parts}, "memory": memory})
        return 0
    print(f"{options.method}, size {options.size}: {_text(spaces)}\n")
    print(table([{"part": name, "parameters": count} for name, count in [*parts.items(), ("total", total)]]))
    print(
        f"\nweights {_mebibytes(memory['weights_bytes'])}; with gradients and optimiser "
        f"{_mebibytes(memory['learner_bytes'])}. Activations and the replay come on top."
    )
    return 0


def parse_observation(words: tuple[str, ...]) -> dict[str, ArraySpec]:
    """("64x64x3", "24") to an image and a vector; names follow what spaces without names are called."""
    specs = [_observation(word) for word in words]
    return {"observation": specs[0]} if len(specs) == 1 else {str(place): spec for place, spec in enumerate(specs)}


def parse_action(word: str) -> ArraySpec:
    """ "17", "5,3" or "6c"."""
    if match := re.fullmatch(r"([1-9]\d*)c", word):
        return ArraySpec("continuous", (int(match[1]),))
    if re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", word):
        classes = tuple(int(number) for number in word.split(","))
        return ArraySpec("discrete", (len(classes),), classes)
    raise UserError(f"--actions {word!r} is not understood. Write 17 for choices, 5,3 for several, 6c for numbers.")


def _observation(word: str) -> ArraySpec:
    if match := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)(?:x([1-9]\d*))?", word):
        return ArraySpec("image", (int(match[1]), int(match[2]), int(match[3] or 1)))
    if re.fullmatch(r"[1-9]\d*", word):
        return ArraySpec("vector", (int(word),))
    raise UserError(f"--observation {word!r} is not understood. Write 64x64x3 for an image, 24 for numbers.")


def _spaces(options: Estimate) -> Spaces:
    if options.env and (options.observation or options.actions):
        raise UserError("give --env, or --observation and --actions, but not both.")
    if options.env:
        from reverie.envs.make import make

        environment = make(options.env)
        environment.close()
        return environment.spaces
    if not options.observation or not options.actions:
        raise UserError("give --observation and --actions, for example `--observation 64x64x3 --actions 17`, or --env.")
    return Spaces(parse_observation(options.observation), parse_action(options.actions))


def _text(spaces: Spaces) -> str:
    observation = " and ".join(f"{spec.kind} {'x'.join(map(str, spec.shape))}" for spec in spaces.observation.values())
    action = spaces.action
    choices = f"choices {','.join(map(str, action.classes))}" if action.classes else f"{action.width} numbers"
    return f"{observation}; action {choices}"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB"
