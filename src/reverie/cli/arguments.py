"""What the verbs share: words to a frozen dataclass (tyro), numbers as people write them, and rows to a table."""

import contextlib
import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tyro

from reverie.errors import UserError

Options = TypeVar("Options")


def parse(kind: type[Options] | Any, words: Sequence[str], *, verb: str, default: Options | None = None) -> Options:
    """Reads the words into a dataclass (or one of its kinds, `Train[Config]`); its docstrings are the help.

    A wrong option is explained and ends the process with code 2.
    """
    prog = f"reverie {verb}"
    markers = (tyro.conf.FlagCreatePairsOff,)
    try:
        if default is None:
            return tyro.cli(kind, args=words, prog=prog, config=markers)
        return tyro.cli(kind, args=words, prog=prog, default=default, config=markers)
    except ValueError as error:  # of settings that stand without a prefix, which tyro lets through
        raise UserError(f"{error}.") from error


def value_in(words: Sequence[str], option: str, unsaid: str = "") -> str:
    """What is said of an option that is needed before the others can be read."""
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return unsaid


def choose(words: list[str], verbs: Mapping[str, Callable[[list[str]], int]], *, of: str, usage: str) -> int:
    """Hands the words to the verb that `reverie OF VERB` names; without one, to the first."""
    if words and words[0] in ("-h", "--help"):
        print(usage)
        return 0
    verb, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else (next(iter(verbs)), words)
    if verb not in verbs:
        near = difflib.get_close_matches(verb, verbs, n=1)
        hint = f"Did you mean `reverie {of} {near[0]}`?" if near else f"The verbs are {', '.join(verbs)}."
        raise UserError(f"`reverie {of} {verb}` is not known. {hint} See `reverie {of} --help`.")
    return verbs[verb](rest)


def parse_seeds(words: Iterable[str]) -> tuple[int, ...]:
    """("0", "3-5") or ("0,3-5",) to (0, 3, 4, 5), each once, in the order given."""
    seeds: list[int] = []
    for word in ",".join(words).split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if match is None:
            raise UserError(f"--seeds: {word!r} is no seed. Write whole numbers, `0 1 2`, or a range, `0-4`.")
        first, last = int(match[1]), int(match[2] or match[1])
        seeds.extend(range(first, last + 1))
    if not seeds:
        raise UserError(f"--seeds: {' '.join(words)!r} holds no seed. A range counts upwards: `0-4`.")
    return tuple(dict.fromkeys(seeds))


def near(path: Path) -> Path:
    """A path as one would type it from here."""
    with contextlib.suppress(OSError, ValueError):  # we stand in a folder that is gone, or elsewhere
        return path.relative_to(Path.cwd())
    return path


def print_json(value: Any) -> None:
    """What a machine reads, on the standard output and alone there."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_line(value: Any) -> None:
    """One event of many, on a line of its own."""
    print(json.dumps(value, allow_nan=False), flush=True)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows with the same keys as aligned columns; numbers lean right."""
    if not rows:
        return ""
    names = list(rows[0])
    cells = [names, *([show(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    numeric = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )


def show(value: Any) -> str:
    """One cell: thousands with commas, fractions with three digits, nothing as a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
