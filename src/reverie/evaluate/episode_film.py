"""An episode that was stored, as a film: what was seen, the step, and the return so far.

Elsewhere: drawing on frames (`film`), a film of an agent that plays now (`media`).
"""

import numpy as np

from reverie.evaluate.film import REALITY, Panel, as_rgb, compose, fit
from reverie.evaluate.video import Frames
from reverie.types import Sequence

WIDTH = 256
"""Pixels of a picture, about."""
MOST = 500
"""Pictures; of a longer episode every k-th row is shown, so that any fits into memory."""


def pictures(sequence: Sequence) -> list[str]:
    """The names of what was seen as a picture."""
    seen = sequence.observation.items()
    return [name for name, values in seen if values.dtype == np.uint8 and values.ndim == 4 and values.size]


def episode_film(sequence: Sequence, fps: float, *, caption: str) -> tuple[Frames, float]:
    """Frames, and how many of them make a second where `fps` rows do."""
    names = pictures(sequence)
    every = -(-len(sequence.reward) * len(names) // MOST)
    panels = [Panel(fit(as_rgb(sequence.observation[name][::every]), WIDTH), ((0, name, REALITY),)) for name in names]
    returns = np.cumsum(sequence.reward, dtype=np.float64)[::every]
    notes = [f"step {every * time}   return {total:.4g}" for time, total in enumerate(returns)]
    return compose(panels, caption=caption, notes=notes), fps / every
