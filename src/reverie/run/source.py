"""A run that begins with what another one has learned.

Two runs of one seed that differ in their later stages alone would do the earlier ones twice, to the same numbers: the
temperatures of a dream, or what a controller sees. So the second takes over what the first has: its experience, what
each finished stage left, and what was logged until then. It is then what it would have become on its own.

The other run is only read. Rows on the disk are linked, not copied, where the file system can.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import PyTree

from reverie.data import durable, objects
from reverie.data.chunks import FOLDER, MANIFEST, Chunks
from reverie.errors import UserError
from reverie.run import checkpoints, log, settings, tree
from reverie.run.run import Run

SAME = ("method", "environment", "seed", "environment_config")
"""What both runs must have in common."""


def take_over(
    run: Run,
    source: Path,
    fresh: PyTree,
    config: Any,
    stages: Mapping[str, Sequence[str]],
    left: Mapping[str, Sequence[str]],
) -> None:
    """Makes the first checkpoint of a run, of another one's; nothing happens where it has some.

    Args:
        run: entered.
        source: the other run's folder.
        fresh: the learner with which it would begin otherwise.
        config: its settings.
        stages: in order, the settings that each brings in; the first one collects.
        left: what each of the others leaves: parts of the learner, by name.

    Raises:
        UserError: the other run is none of this kind, or has finished no stage that could be used.
    """
    if checkpoints.listed(run.directory / checkpoints.FOLDER):
        return
    other = Run.open(source)
    if differing := [name for name in SAME if run.manifest.get(name) != other.manifest.get(name)]:
        there, here = other.manifest.get(differing[0]), run.manifest.get(differing[0])
        raise UserError(f"{source} is nothing to begin with: its {differing[0]} is {there!r}, and here it is {here!r}.")
    checkpoint = _newest(other)
    counters = checkpoint.about["counters"]
    usable, why = _usable({stage: stages[stage] for stage in list(stages)[: 1 + len(left)]}, config, other, counters)
    if not usable:
        raise UserError(f"{source} is nothing to begin with: {why}.")
    run.note(f"{', '.join(usable)} as in {source}" + (f"; {why}" if why else ""))
    kept = ("memory", *(f"learner.{name}" for stage in usable for name in left.get(stage, ())))
    arrays = tree.to_arrays({"learner": fresh}) | {
        name: values
        for name, values in checkpoint.parts[checkpoints.STATE].items()
        if any(f"{name}.".startswith(f"{part}.") for part in kept)
    }
    replay = other.directory / FOLDER
    for chunk in Chunks(replay).listed:
        durable.link(replay / chunk.file, run.directory / FOLDER / chunk.file)
    durable.write(run.directory / FOLDER / MANIFEST, (replay / MANIFEST).read_bytes())
    lines, seconds = _logged(other, list(stages)[len(usable)])
    durable.write(run.directory / log.FILE, b"".join(line + b"\n" for line in lines))
    about = {name: checkpoint.about[name] for name in ("inserted", "due")}
    about |= {"counters": counters | {"elsewhere": 0}, "seconds": seconds, "log": sum(len(line) + 1 for line in lines)}
    parts = {name: checkpoint.parts[name] for name in ("replay", "collector")} | {checkpoints.STATE: arrays}
    checkpoints.save(run.directory / checkpoints.FOLDER, checkpoint.about["step"] - counters["elsewhere"], parts, about)


def _newest(run: Run) -> checkpoints.Checkpoint:
    """Its newest checkpoint."""
    folders = checkpoints.listed(run.directory / checkpoints.FOLDER)
    if not folders:
        raise UserError(f"{run.directory} is nothing to begin with: it has no checkpoint yet.")
    try:
        checkpoint = checkpoints.load(folders[0])
        checkpoints.check(checkpoint.about)
    except (OSError, ValueError) as error:
        raise UserError(f"{folders[0]} is damaged: {error}. `reverie resume {run.directory}` mends it.") from error
    if name := tree.first_non_finite(checkpoint.parts[checkpoints.STATE]):
        raise UserError(f"{run.directory} is nothing to begin with: {name} is not finite; it diverged.")
    return checkpoint


def _usable(
    stages: Mapping[str, Sequence[str]], config: Any, other: Run, counters: Mapping[str, Any]
) -> tuple[list[str], str]:
    """The stages that the other run has finished (its counter `over`) with these settings, and why it is not more."""
    known = settings.from_json(type(config), other.manifest["config"])  # what it knew nothing of is its default
    here, theirs = dataclasses.asdict(config), dataclasses.asdict(known)
    usable: list[str] = []
    for stage, names in stages.items():
        if len(usable) == counters.get("over", 0):
            return usable, f"its {stage} is not over"
        for name in names:
            if theirs[name] != here[name]:
                return usable, f"its {stage} had {name} {theirs[name]!r}, and here it is {here[name]!r}"
        usable.append(stage)
    return usable, ""


def _logged(run: Run, stage: str) -> tuple[list[bytes], float]:
    """What a run logged before a stage, and how long it took until then."""
    lines, seconds = [], 0.0
    for line in durable.whole_lines(run.directory / log.FILE):
        entry = objects.parse(line)
        if f"done/{stage}" in entry:
            break
        lines.append(line)
        seconds = entry.get("seconds", seconds)
    return lines, seconds
