"""The pictures of a finished run: how it learned, how it acts, how it dreams.

    media/learning_curve.png    return against steps, losses below
    media/agent.webp, .mp4      one episode in the real environment
    media/dream.webp, .mp4      the same episode, watched for a while and then dreamt with the same actions
    media/dream_error.png       error of that dream beside the copy-last baseline
    media/planners.png          of `reverie bench planners`: return against what a decision costs
    media/dreams.webp, .mp4     dreams that the agent acts in, at several temperatures, of a model that has one

WebP always, MP4 beside it where the extra `video` is installed. What a world or an installation cannot show is left
out, and `Media.missing` says why.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reverie.data import durable
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.evaluate import plots, video
from reverie.evaluate.decisions import Decisions
from reverie.evaluate.dream_film import STEPS, TEMPERATURES, dreams_film
from reverie.evaluate.film import REALITY, Panel, compose, fit
from reverie.evaluate.open_loop import OpenLoop, open_loop
from reverie.evaluate.open_loop_film import film
from reverie.evaluate.returns import Recording, record
from reverie.evaluate.video import Frames
from reverie.protocol import Trained

WINDOW = 128
"""Rows of an episode that the dream's film shows at most; a quarter of them is watched."""
DREAM_FPS = 15.0
"""Slower than most worlds, so that an eye can compare."""
_AGENT_WIDTH = 480


@dataclass
class Media:
    """What was written, and what was not and why."""

    files: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def media(
    folder: Path,
    trained: Trained,
    environment: str | Callable[[], Any],
    config: EnvironmentConfig,
    *,
    title: str,
    metrics: list[dict[str, Any]],
    goal: float | None = None,
    seed: int = 0,
    temperatures: Sequence[float] = (),
    steps: int = STEPS,
) -> Media:
    """Writes all that can be shown of a run into `folder`/media; `metrics` are the rows of its metrics.jsonl."""
    folder, result = folder / "media", Media()
    with _or_missing(result, "learning curve"):
        result.files += write_learning_curve(folder, metrics, title=title, goal=goal)
    recording = _recorded(result, trained, environment, config, seed)
    if recording.frames is not None:
        result.files += write_film(folder, "agent", *_agent_film(recording, recording.frames, title))
    if hasattr(trained.model, "temperature"):
        first = {name: values[0] for name, values in recording.sequence.observation.items()}
        frames = dreams_film(trained, first, temperatures or TEMPERATURES, caption=title, steps=steps)
        result.files += write_film(folder, "dreams", frames, recording.fps)
    with _or_missing(result, "dream"):
        dream = dream_of(trained, recording)
        with _or_missing(result, "dream film"):
            frames = _dream_film(dream, trained, environment, config, title)
            result.files += write_film(folder, "dream", frames, DREAM_FPS)
        with _or_missing(result, "dream error"):
            error = plots.open_loop_error(dream, title=f"{title}: how far the dream holds")
            result.files.append(_write(folder / "dream_error.png", error))
    return result


def write_learning_curve(
    folder: Path, metrics: list[dict[str, Any]], *, title: str, goal: float | None = None
) -> list[Path]:
    """`learning_curve.png` of the rows of one run's metrics.jsonl."""
    curve = plots.learning_curve([plots.read_metrics(metrics)], title=title, goal=goal)
    return [_write(folder / "learning_curve.png", curve)]


def write_planners(folder: Path, rows: Sequence[Decisions], *, title: str) -> list[Path]:
    """`planners.png`: what planners bring by what they cost."""
    return [_write(folder / "planners.png", plots.planners(rows, title=title))]


def write_film(folder: Path, name: str, frames: Frames, fps: float) -> list[Path]:
    """`name`.webp, and `name`.mp4 where ffmpeg is there, both at up to 30 frames a second."""
    frames, fps = video.thin(frames, fps)
    files = [_write(folder / f"{name}.webp", video.webp(frames, fps))]
    if video.has_mp4():
        files.append(_write(folder / f"{name}.mp4", video.mp4(frames, fps)))
    return files


def dream_of(trained: Trained, recording: Recording, *, rows: int = WINDOW) -> OpenLoop:
    """The first rows of an episode, a quarter of them watched, the others dreamt."""
    rows = min(rows, len(recording.sequence.reward))
    return open_loop(trained, recording.sequence, rows=rows, context=max(1, rows // 4))


def _dream_film(
    dream: OpenLoop, trained: Trained, environment: str | Callable[[], Any], config: EnvironmentConfig, title: str
) -> Frames:
    world = make(environment, config)
    try:
        return film(dream, trained.spaces, world.draw, caption=title)
    finally:
        world.close()


def _agent_film(recording: Recording, frames: Frames, title: str) -> tuple[Frames, float]:
    frames, fps = video.thin(frames, recording.fps)
    every = round(recording.fps / fps)
    returns = recording.sequence.reward.cumsum()[::every]
    notes = [f"step {every * time}   return {total:.4g}" for time, total in enumerate(returns)]
    panel = Panel(fit(frames, _AGENT_WIDTH), ((0, "the agent in the real environment", REALITY),))
    return compose([panel], caption=title, notes=notes), fps


def _recorded(
    result: Media, trained: Trained, environment: str | Callable[[], Any], config: EnvironmentConfig, seed: int
) -> Recording:
    """With pictures where the world renders any, else without."""
    try:
        return record(trained, environment, config, seed=seed)
    except (UserError, NotImplementedError) as error:  # the latter is how Gymnasium says that a world has no pictures
        result.missing.append(f"agent film: {str(error) or 'this environment renders no pictures'}")
        return record(trained, environment, config, seed=seed, render=False)


@contextlib.contextmanager
def _or_missing(result: Media, what: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        result.missing.append(f"{what}: {error}")


def _write(path: Path, content: bytes) -> Path:
    durable.write(path, content)
    return path
