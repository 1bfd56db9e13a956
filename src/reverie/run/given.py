"""Experience that a run begins with: what another one collected, or what a person played in the studio.

    --config.experience.given FOLDER      every episode that FOLDER keeps is in the replay before the first step

Episodes are dealt to the streams in order, each to the first that is free; streams that get none any more have a gap.
The rows count as collected where a method waits for enough of them, not as steps. Latents are blank until an update
has been there. A row in the middle of an episode whose beginning is lost counts as a first one: nothing is known of
what was before it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reverie.data.replay import Replay
from reverie.errors import UserError
from reverie.run import manifest, stored
from reverie.types import ArraySpec, Sequence, Spaces, Step


def take_in(folder: Path, replay: Replay, spaces: Spaces) -> str:
    """Fills a replay that is empty; a sentence that says with what.

    Args:
        folder: of a run, or of what was kept of a play.
        replay: to be filled.
        spaces: of the environment that the rows must be from.

    Raises:
        UserError: if there are none, or they are of another world.
    """
    given = stored.Stored(folder)
    if not given.episodes:
        raise UserError(f"{folder} keeps no episode that could be given to a run.")
    rows = sum(episode.rows for episode in given.episodes)
    _check(folder, given, spaces)
    episodes = (_checked(folder, number, given.sequence(number), spaces) for number in range(len(given.episodes)))
    lanes = [_blank(spaces)] * replay.streams
    reading: list[Iterator[Sequence]] = [iter(())] * replay.streams
    latents = {name: np.zeros((replay.streams, *shape), dtype) for name, (shape, dtype) in replay.layout.items()}
    while True:
        present = np.ones(replay.streams, bool)
        for stream in range(replay.streams):
            row = next(reading[stream], None)
            if row is None and (following := next(episodes, None)) is not None:
                reading[stream] = _rows(following)
                row = next(reading[stream])
            present[stream] = row is not None
            lanes[stream] = lanes[stream] if row is None else row
        if not present.any():
            break
        if replay.inserted >= replay.capacity:
            raise UserError(
                f"{folder} keeps {rows:,} rows, too many for a replay of {replay.capacity:,} in {replay.streams} "
                "streams, in which an episode stays in one. Raise --config.experience.capacity or "
                "--config.experience.gibibytes."
            )
        observation = {name: np.stack([lane.observation[name] for lane in lanes]) for name in spaces.observation}
        marks = [np.stack([getattr(lane, name) for lane in lanes]) for name in Step._fields[1:]]
        replay.add(Step(observation, *marks), np.stack([lane.action for lane in lanes]), latents, present)
    troubles = "".join(f" ({trouble})" for trouble in given.troubles)
    world = manifest.read(folder).get("environment")
    return f"begins with {rows:,} rows of {len(given.episodes)} episodes of {world} from {folder}{troubles}"


def _check(folder: Path, given: stored.Stored, spaces: Spaces) -> None:
    """That its rows look like those of the environment."""
    wanted = {stored.OBSERVATION + name: (spec.shape, spec.dtype) for name, spec in spaces.observation.items()}
    wanted["action"] = (spaces.action.shape, spaces.action.dtype)
    found = {name: it for name, it in given.layout.items() if name not in ("reward", *stored.FLAGS)}
    for name in sorted(wanted | found):
        if wanted.get(name) != found.get(name):
            here, there = (f"{it[1]} {list(it[0])}" if it else "nothing" for it in (found.get(name), wanted.get(name)))
            raise UserError(f"{folder} is of another world: its {name} is {here}, this environment's is {there}.")


def _checked(folder: Path, number: int, episode: Sequence, spaces: Spaces) -> Sequence:
    """That its numbers can be learned from."""
    numbers = [episode.reward, *(it for it in episode.observation.values() if it.dtype.kind == "f")]
    if not all(np.isfinite(it).all() for it in numbers):
        raise UserError(f"Episode {number} of {folder} has numbers that are not finite. Give a run without it.")
    if not _possible(episode.action, spaces.action):
        raise UserError(f"Episode {number} of {folder} has actions that this environment does not have.")
    episode.is_first[0] = True
    return episode


def _possible(action: np.ndarray, spec: ArraySpec) -> bool:
    if spec.kind == "discrete":
        return bool(((action >= 0) & (action < np.array(spec.classes))).all())
    return bool((np.abs(action) <= 1).all())


def _rows(episode: Sequence) -> Iterator[Sequence]:
    """Its rows, one by one."""
    for place in range(len(episode.reward)):
        observation = {name: values[place] for name, values in episode.observation.items()}
        numbers = [getattr(episode, name)[place] for name in Sequence._fields[1:]]
        yield Sequence(observation, *numbers)


def _blank(spaces: Spaces) -> Sequence:
    """What stands in a stream that has no row."""
    observation = {name: np.zeros(spec.shape, spec.dtype) for name, spec in spaces.observation.items()}
    flag = np.zeros((), bool)
    action = np.zeros(spaces.action.shape, spaces.action.dtype)
    return Sequence(observation, action, np.zeros((), np.float32), flag, flag, flag)
