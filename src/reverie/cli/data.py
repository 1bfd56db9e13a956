"""`reverie data list`, `show` and `verify`: the experience that runs keep. Nothing of it is changed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from reverie.cli.arguments import choose, near, parse, print_json, table
from reverie.data import durable
from reverie.errors import UserError

if TYPE_CHECKING:
    from reverie.run.audit import Audit
    from reverie.run.stored import Stored
    from reverie.types import Sequence

HELP = """usage: reverie data list [FOLDER] [--json]
       reverie data show RUN [--episode K] [--rows N] [--out FILE] [--fps F] [--json]
       reverie data verify RUN... [--json]

A run keeps its experience in RUN/replay. It is read, and never changed; somebody may be training.

examples:
  reverie data list
  reverie data show runs/dreamer3-CartPole-v1-nano-seed0
  reverie data show runs/doom --episode 3 --out episode.mp4
  reverie data verify runs/doom runs/pendulum"""

CHOICES = 20
"""Choices of an action that are shown at most."""
NUMBERS = 6
"""Elements of a vector that are shown at most."""


@dataclass(frozen=True)
class List:
    """List the runs that keep experience: how much, of what, and since when."""

    folder: Annotated[Path, Positional, arg(metavar="FOLDER")] = Path("runs")
    """Where to look, this folder and all below it."""
    json: bool = False
    """Print a JSON list."""


@dataclass(frozen=True)
class Show:
    """Show what a run has experienced: arrays, episodes, actions; or one episode, with a film if it has pictures."""

    run: Annotated[str, Positional, arg(metavar="RUN", help_behavior_hint="")] = ""
    """The run folder, or the beginning of its name in runs/."""
    episode: int | None = None
    """Show this one: 0 is the oldest that is kept."""
    rows: int = 20
    """With --episode: how many of its rows to print."""
    out: Path | None = None
    """With --episode: where the film goes, a .webp or .mp4 file; RUN/media/episode-K.webp if not given."""
    fps: float = 15.0
    """With --episode: rows of the film per second."""
    json: bool = False
    """Print JSON; of an episode all rows, without their pictures."""


@dataclass(frozen=True)
class Verify:
    """Read every chunk of runs and say whether all is sound: code 0, or 1 and what is wrong."""

    runs: Annotated[tuple[str, ...], Positional, arg(metavar="RUN", help_behavior_hint="")] = ()
    """Run folders, or the beginnings of their names in runs/."""
    json: bool = False
    """Print a JSON list of objects with run, sound, faults, notes, rows and chunks."""


def main(words: list[str]) -> int:
    return choose(words, {"list": show_list, "show": show, "verify": verify}, of="data", usage=HELP)


def show_list(words: list[str]) -> int:
    options = parse(List, words, verb="data list")
    from reverie.run.runs import directories
    from reverie.run.stored import keeps

    rows = [_entry(run) for run in directories(options.folder) if keeps(run)]
    if options.json:
        print_json(rows)
        return 0
    troubles = [f"{row['run']}: {trouble}" for row in rows for trouble in row.pop("troubles")]
    for row in rows:
        row["seen"] = ", ".join(f"{it['name']} {_shape(it['shape'])} {it['dtype']}" for it in row["seen"])
        row["size"] = _size(row.pop("bytes"))
    print(table(rows) or f"No run in {options.folder} keeps experience. Begin one: reverie train dreamer3 CartPole-v1")
    if troubles:
        print("\n" + "\n".join(troubles))
    return 0


def show(words: list[str]) -> int:
    options = parse(Show, words, verb="data show")
    if not options.run:
        raise UserError("which run? `reverie data list` lists those that keep experience.")
    from reverie.run.runs import find
    from reverie.run.stored import Stored

    run = find(options.run)
    if options.episode is not None:
        return _show_episode(Stored(run, check=False), options.episode, options)
    if options.out:
        raise UserError("--out is where the film of an episode goes: say which with --episode 0.")
    from reverie.run.summary import summary

    found = {"run": str(run), "environment": _environment(run), **summary(Stored(run))}
    if options.json:
        print_json(_plain(found))
    else:
        print("\n\n".join(_described(found)))
    return 0


def verify(words: list[str]) -> int:
    options = parse(Verify, words, verb="data verify")
    if not options.runs:
        raise UserError("which run? `reverie data list` lists those that keep experience.")
    from reverie.run.audit import audit
    from reverie.run.runs import find

    found = []
    for run in [find(name) for name in options.runs]:
        found.append(audit(run))
        if not options.json:
            _report(found[-1])
    if options.json:
        print_json([one.to_json() for one in found])
    return 0 if all(one.sound for one in found) else 1


def _entry(run: Path) -> dict[str, Any]:
    """A run's line of the list."""
    from reverie.run.stored import Stored, observation
    from reverie.run.summary import extent

    entry: dict[str, Any] = {"run": str(run), "environment": None, "rows": None, "episodes": None, "seen": []}
    entry |= {"oldest": None, "newest": None, "bytes": None, "troubles": []}
    try:
        entry["environment"] = _environment(run)
        stored = Stored(run, check=False)
        entry |= {name: value for name, value in extent(stored).items() if name in entry}
        entry["episodes"] = len(stored.episodes)
        seen = observation(stored.layout)
        entry["seen"] = [{"name": name, "shape": list(shape), "dtype": kind} for name, (shape, kind) in seen.items()]
        entry["troubles"] = [str(trouble) for trouble in stored.troubles]
    except (UserError, OSError) as error:
        entry["troubles"] = [str(error)]
    return entry


def _environment(run: Path) -> str | None:
    from reverie.run import manifest

    return manifest.read(run).get("environment")


def _described(found: dict[str, Any]) -> Iterator[str]:
    """A summary, paragraph by paragraph."""
    since = f", {found['oldest']:,} to {found['newest']:,}" if found["rows"] else ""
    yield (
        f"{found['run']}: {found['rows']:,} rows{since}, of {found['environment']} in {found['streams']} streams, "
        f"{_size(found['bytes'])}"
    )
    if found["arrays"]:
        yield table([row | {"shape": _shape(row["shape"])} for row in found["arrays"]])
    episodes = found["episodes"]
    yield f"{episodes['whole']:,} whole episodes, {episodes['cut']:,} cut"
    if episodes["whole"]:
        rows = [{"of whole ones": what, **episodes[what]} for what in ("length", "return")]
        shares = (f"{100 * episodes[how]:.0f} % {how}" for how in ("terminated", "truncated"))
        yield f"{table(rows)}\n{', '.join(shares)}"
    numbers = [action for action in found["actions"] if "choices" not in action]
    if numbers:
        yield table([{"action" if name == "element" else name: it[name] for name in it} for it in numbers])
    for action in found["actions"]:
        if "choices" in action:
            yield _choices(action, several=len(found["actions"]) > 1)
    if found["troubles"]:
        yield "\n".join(f"note: {trouble}" for trouble in found["troubles"])


def _choices(action: dict[str, Any], *, several: bool) -> str:
    """How often each choice of one element was made."""
    choices, total = action["choices"], sum(action["choices"].values())
    name = f"action {action['element']}" if several else "action"
    rows = [{name: choice, "times": times, "share": times / total} for choice, times in choices.items()]
    more = [f"and {len(rows) - CHOICES} other choices"] if len(rows) > CHOICES else []
    return "\n".join([table(rows[:CHOICES]), *more])


def _show_episode(stored: "Stored", number: int, options: Show) -> int:
    from reverie.evaluate.episode_film import pictures

    path = options.out or stored.run / "media" / f"episode-{number}.webp"
    if path.suffix not in (".webp", ".mp4"):
        raise UserError(f"--out {path} is no film's name: end it in .webp or .mp4.")
    if not 0 < options.fps < math.inf or options.rows < 0:
        raise UserError(f"--fps is more than 0 and --rows 0 or more, got {options.fps:g} and {options.rows}.")
    sequence = stored.sequence(number)
    filmed, steps = bool(pictures(sequence)), list(_steps(stored, number, sequence))
    if options.out and not filmed:
        raise UserError(f"no picture was seen in {stored.run}, so there is no film: leave out --out.")
    episode = stored.episodes[number]
    about = {**episode._asdict(), "return": episode.score, "length": episode.length}
    about.pop("score")
    if options.json:
        film = str(path) if filmed else None
        print_json(_plain({"run": str(stored.run), "episode": number, **about, "film": film, "steps": steps}))
    else:
        end = "terminated" if episode.terminated else "truncated" if episode.truncated else "not ended"
        print(
            f"{stored.run}, episode {number} of 0 to {len(stored.episodes) - 1}: {episode.length:,} actions in stream "
            f"{episode.stream}, return {episode.score:.6g}, {end}{'' if episode.whole else '; cut'}\n"
        )
        print(_table_of(steps, options.rows))
    if filmed:
        _write_film(sequence, path, options.fps, number)
        if not options.json:
            print(f"\nfilm: {near(path)}")
    return 0


def _steps(stored: "Stored", number: int, sequence: "Sequence") -> Iterator[dict[str, Any]]:
    """The rows of an episode, without what would fill a page."""
    from reverie.evaluate.episode_film import pictures

    shown = {name: values for name, values in sequence.observation.items() if name not in pictures(sequence)}
    first = stored.episodes[number].first
    for time in range(len(sequence.reward)):
        yield {
            "step": time,
            "row": first + time * stored.streams,
            "action": sequence.action[time].tolist(),
            "reward": float(sequence.reward[time]),
            "terminated": bool(sequence.terminated[time]),
            "truncated": bool(sequence.truncated[time]),
            "observation": {name: values[time].tolist() for name, values in shown.items()},
        }


def _table_of(steps: list[dict[str, Any]], most: int) -> str:
    """The first and the last of them."""
    left_out, tail = len(steps) - most, most // 2
    chosen = steps if left_out <= 0 else steps[: most - tail] + steps[len(steps) - tail :]
    rows = [
        {
            **{name: step[name] for name in ("step", "row")},
            "action": _numbers(step["action"]),
            "reward": step["reward"],
            **{name: _numbers(values) for name, values in step["observation"].items()},
            "end": "terminated" if step["terminated"] else "truncated" if step["truncated"] else None,
        }
        for step in chosen
    ]
    lines = table(rows).splitlines()
    if left_out > 0:
        lines.insert(1 + most - tail, f"... {left_out:,} rows")
    return "\n".join(lines)


def _write_film(sequence: "Sequence", path: Path, fps: float, number: int) -> None:
    from reverie.evaluate import video
    from reverie.evaluate.episode_film import episode_film

    frames, fps = video.thin(*episode_film(sequence, fps, caption=f"episode {number}"))
    durable.write(path, {".webp": video.webp, ".mp4": video.mp4}[path.suffix](frames, fps))


def _report(found: "Audit") -> None:
    """What an audit found, for people."""
    size = f"{found.rows:,} rows in {found.chunks:,} chunks"
    print(f"{found.run}: " + (f"OK, {size}" if found.sound else f"NOT sound; {size} were looked into:"))
    for fault in found.faults:
        print(f"  {fault}")
    for note in found.notes:
        print(f"  note: {note}")


def _numbers(values: Any) -> str:
    """Numbers on one line, as many as fit."""
    flat = values if isinstance(values, list) else [values]
    shown = (f"{it:.4g}" if isinstance(it, float) else str(it) for it in flat[:NUMBERS])
    return " ".join(shown) + (" ..." if len(flat) > NUMBERS else "")


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def _size(count: int | None) -> str | None:
    if count is None:
        return None
    unit = next((unit for unit in ("GiB", "MiB") if count >= _UNITS[unit]), "KiB")
    return f"{count / _UNITS[unit]:,.1f} {unit}"


_UNITS = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10}


def _plain(value: Any) -> Any:
    """As JSON has it: a number that is not finite is its name."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
