"""A dream beside reality, as frames: the same actions in both, and a mark where the model stops watching.

What can be shown depends on the world. Pixels: reality, the model's account, and their difference (grey is equal). No
pixels, but an environment that can be set to an observation's state: both accounts drawn by the environment itself.
Neither: the numbers that change most, over time, uncovered as the film runs.

Elsewhere: the numbers (`open_loop`), drawing on frames (`film`).
"""

from collections.abc import Callable

import numpy as np

from reverie.evaluate.film import DIFFERENCE, DREAM, FAINT, REALITY, Panel, as_rgb, compose, fit
from reverie.evaluate.open_loop import OpenLoop
from reverie.evaluate.plots import numbers_over_time
from reverie.evaluate.video import Frames
from reverie.types import Spaces

Draw = Callable[[dict[str, np.ndarray]], np.ndarray | None]

_WIDTH = 760
"""Pixels of the whole film, about: what a README shows without shrinking."""
_MOST_NUMBERS = 6


def film(result: OpenLoop, spaces: Spaces, draw: Draw, *, caption: str) -> Frames:
    """Frames of an open-loop comparison, one per row; `draw` is `Environment.draw`."""
    images = [name for name, spec in spaces.observation.items() if spec.kind == "image"]
    notes = [_note(time, result) for time in range(result.rows)]
    if images:
        panels = _pixel_panels(as_rgb(result.reality[images[0]]), as_rgb(result.dream[images[0]]), result.context)
    else:
        panels = _drawn_panels(result, draw) or [_plot_panel(result, spaces)]
    return compose(panels, caption=caption, notes=notes, begins=result.context)


def _pixel_panels(reality: Frames, dream: Frames, context: int) -> list[Panel]:
    difference = ((dream.astype(np.int16) - reality + 255) // 2).astype(np.uint8)
    named = ((reality, _always("reality", REALITY)), (dream, _dreamt(context)))
    shown = (*named, (difference, _always("difference (grey: none)", DIFFERENCE)))
    return [Panel(fit(frames, _WIDTH // 3), titles) for frames, titles in shown]


def _drawn_panels(result: OpenLoop, draw: Draw) -> list[Panel]:
    """Empty where the environment cannot be set to an observation's state."""
    reality, dream = _drawn(result.reality, result.rows, draw), _drawn(result.dream, result.rows, draw)
    if reality is None or dream is None:
        return []
    return [
        Panel(fit(reality, _WIDTH // 2), _always("reality", REALITY)),
        Panel(fit(dream, _WIDTH // 2), _dreamt(result.context)),
    ]


def _drawn(observations: dict[str, np.ndarray], rows: int, draw: Draw) -> Frames | None:
    pictures = []
    for time in range(rows):
        picture = draw({name: values[time] for name, values in observations.items()})
        if picture is None:
            return None
        pictures.append(np.array(picture))
    return np.stack(pictures)


def _plot_panel(result: OpenLoop, spaces: Spaces) -> Panel:
    reality, dream = _numbers(result.reality, spaces), _numbers(result.dream, spaces)
    liveliest = np.sort(np.argsort(-reality.var(axis=0), kind="stable")[:_MOST_NUMBERS])
    names = [_number_names(spaces)[number] for number in liveliest]
    plot = numbers_over_time(reality[:, liveliest], dream[:, liveliest], names, context=result.context, width=_WIDTH)
    frames = np.repeat(plot.empty[None], result.rows, axis=0)
    for frame, column in zip(frames, plot.columns, strict=True):
        frame[:, : column + 1] = plot.full[:, : column + 1]
    return Panel(frames, _dreamt(result.context))


def _number_names(spaces: Spaces) -> list[str]:
    """Labels of an observation's numbers, in the order of `_numbers`."""
    names: list[str] = []
    for name, spec in spaces.observation.items():
        single = spec.shape[0] == 1
        names += spec.labels or ([name] if single else [f"{name} {index}" for index in range(spec.shape[0])])
    return names


def _numbers(account: dict[str, np.ndarray], spaces: Spaces) -> np.ndarray:
    """(rows, count), in the order of the observation's names."""
    return np.concatenate([account[name].reshape(len(account[name]), -1) for name in spaces.observation], axis=1)


def _note(time: int, result: OpenLoop) -> str:
    if time < result.context:
        return f"watching, step {time + 1} of {result.context}"
    return f"dreaming, step {time - result.context + 1} of {result.rows - result.context}"


def _always(text: str, colour: str) -> tuple[tuple[int, str, str], ...]:
    return ((0, text, colour),)


def _dreamt(context: int) -> tuple[tuple[int, str, str], ...]:
    return (0, "reconstruction (it still sees)", FAINT), (context, "dream (eyes closed, same actions)", DREAM)
