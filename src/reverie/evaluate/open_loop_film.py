"""A dream beside reality, as frames: the same actions in both, and a mark where the model stops watching.

What can be shown depends on the world. Pixels: reality, the model's account, and their difference (grey is equal). No
pixels, but an environment that can be set to an observation's state: both accounts drawn by the environment itself.
Neither: the numbers that change most, over time, uncovered as the film runs.

`beside` shows several models' accounts of one episode: of one run as it learned, or of several at equal steps.

Elsewhere: the numbers (`open_loop`), drawing on frames (`film`).
"""

from collections.abc import Callable, Sequence

import numpy as np

from reverie.evaluate.film import DIFFERENCE, DREAM, FAINT, REALITY, Panel, as_rgb, compose, fit
from reverie.evaluate.open_loop import OpenLoop
from reverie.evaluate.plots import numbers_over_time
from reverie.evaluate.video import Frames
from reverie.types import Spaces

Draw = Callable[[dict[str, np.ndarray]], np.ndarray | None]
Titles = tuple[tuple[int, str, str], ...]
"""See `film.Panel`."""

_WIDTH = 760
"""Pixels of the whole film, about: what a README shows without shrinking."""
_NARROWEST = 180
"""Pixels of a panel among many: its name must fit."""
_MOST_NUMBERS = 6


def film(result: OpenLoop, spaces: Spaces, draw: Draw, *, caption: str) -> Frames:
    """Frames of an open-loop comparison, one per row; `draw` is `Environment.draw`."""
    reality, dream = (pictures(account, spaces, draw) for account in (result.reality, result.dream))
    if reality is None or dream is None:
        panels = [plot_panel(result, spaces, _dreamt(result.context), _WIDTH)]
    else:
        shown = [(reality, _always("reality", REALITY)), (dream, _dreamt(result.context))]
        if any(spec.kind == "image" for spec in spaces.observation.values()):
            difference = ((dream.astype(np.int16) - reality + 255) // 2).astype(np.uint8)
            shown.append((difference, _always("difference (grey: none)", DIFFERENCE)))
        panels = [Panel(fit(frames, _WIDTH // len(shown)), titles) for frames, titles in shown]
    return compose(panels, caption=caption, notes=notes(result), begins=result.context)


def beside(results: Sequence[tuple[str, OpenLoop]], spaces: Spaces, draw: Draw, *, caption: str) -> Frames:
    """Several accounts of one episode beside each other, and reality before them; each with what it is called."""
    first = results[0][1]
    reality = pictures(first.reality, spaces, draw)
    dreams = [pictures(result.dream, spaces, draw) for _, result in results]
    titles = [((0, name, FAINT), (result.context, name, DREAM)) for name, result in results]
    if reality is None or any(dream is None for dream in dreams):
        width = max(_NARROWEST, _WIDTH // len(results))
        panels = [plot_panel(it, spaces, title, width) for (_, it), title in zip(results, titles, strict=True)]
    else:
        shown = [(reality, _always("reality", REALITY)), *zip(dreams, titles, strict=True)]
        width = max(_NARROWEST, _WIDTH // len(shown))
        panels = [Panel(fit(frames, width), title) for frames, title in shown if frames is not None]
    return compose(panels, caption=caption, notes=notes(first), begins=first.context)


def notes(result: OpenLoop) -> list[str]:
    """What is said of each row."""
    watched, dreamt = result.context, result.rows - result.context
    seen = [f"watching, step {row} of {watched}" for row in range(1, watched + 1)]
    return seen + [f"dreaming, step {row} of {dreamt}" for row in range(1, dreamt + 1)]


def pictures(account: dict[str, np.ndarray], spaces: Spaces, draw: Draw) -> Frames | None:
    """Rows as frames: their first image, or what the environment draws of them; None where it cannot be set to them."""
    images = [name for name, spec in spaces.observation.items() if spec.kind == "image"]
    if images:
        return as_rgb(account[images[0]])
    drawn = []
    for time in range(len(next(iter(account.values())))):
        picture = draw({name: values[time] for name, values in account.items()})
        if picture is None:
            return None
        drawn.append(np.array(picture))
    return np.stack(drawn)


def plot_panel(result: OpenLoop, spaces: Spaces, titles: Titles, width: int) -> Panel:
    """The numbers that change most, over time, uncovered as the film runs."""
    reality, dream = _numbers(result.reality, spaces), _numbers(result.dream, spaces)
    liveliest = np.sort(np.argsort(-reality.var(axis=0), kind="stable")[:_MOST_NUMBERS])
    names = [_number_names(spaces)[number] for number in liveliest]
    plot = numbers_over_time(reality[:, liveliest], dream[:, liveliest], names, context=result.context, width=width)
    frames = np.repeat(plot.empty[None], result.rows, axis=0)
    for frame, column in zip(frames, plot.columns, strict=True):
        frame[:, : column + 1] = plot.full[:, : column + 1]
    return Panel(frames, titles)


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


def _always(text: str, colour: str) -> Titles:
    return ((0, text, colour),)


def _dreamt(context: int) -> Titles:
    return (0, "reconstruction (it still sees)", FAINT), (context, "dream (eyes closed, same actions)", DREAM)
