"""What is shown of a model without a decoder: the real frame nearest to a state, and where that lies among others.

Rows that the run keeps are looked at once, as the model sees them. States are compared number by number, each measured
in its own standard deviation over those rows; the map is their two principal components (Pearson 1901), so what is far
apart in it is far apart, and what is close may differ in what it leaves out.
"""

from collections.abc import Sequence as Many

import numpy as np
from PIL import Image, ImageDraw

from reverie.evaluate.film import DREAM, FAINT, INK, PAPER, REALITY, font

SIDE = 240
"""Pixels of each half of the picture."""
_LINE = 22
_ROOM = 0.12
"""Of the map's width, around the rows."""


class Nearest:
    """Real rows, and the states that the model was in after each.

    Args:
        latents: of the states [row, number].
        frames: a picture of each row [height, width, 3], or None where its world draws none.
        names: of the rows, for people.
    """

    def __init__(self, latents: np.ndarray, frames: Many[np.ndarray | None], names: Many[str]) -> None:
        self._frames, self._names = frames, names
        self._mean, spread = latents.mean(axis=0), latents.std(axis=0)
        self._weight = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0)
        self._rows = (latents - self._mean) * self._weight
        axes = np.linalg.svd(self._rows, full_matrices=False)[2][:2]
        self._axes = np.concatenate([axes, np.zeros((2 - len(axes), latents.shape[1]))])
        self._map = self._rows @ self._axes.T

    def find(self, latent: np.ndarray) -> tuple[int, float]:
        """The nearest row, and how far it is: the root mean square over numbers that vary, in standard deviations."""
        apart = ((self._rows - self._placed(latent)) ** 2).sum(axis=1)
        row = int(np.argmin(apart))
        return row, float(np.sqrt(apart[row] / max(1, np.count_nonzero(self._weight))))

    def picture(self, latent: np.ndarray) -> np.ndarray:
        """The nearest row's frame, and the map with the state in it; of a world that draws nothing, the map alone."""
        row, far = self.find(latent)
        frame = self._frames[row]
        canvas = Image.new("RGB", (SIDE * (1 if frame is None else 2), SIDE + _LINE), PAPER)
        draw = ImageDraw.Draw(canvas)
        if frame is not None:
            real = Image.fromarray(frame)
            share = SIDE / max(real.size)
            size = (max(1, round(real.width * share)), max(1, round(real.height * share)))
            how = Image.Resampling.NEAREST if share > 1 else Image.Resampling.BOX
            canvas.paste(real.resize(size, how), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
        self._draw_map(draw, canvas.width - SIDE, self._placed(latent) @ self._axes.T, row)
        draw.text((4, SIDE + 4), f"nearest: {self._names[row]}; {far:.2g} deviations away", INK, font(12))
        return np.asarray(canvas)

    def _placed(self, latent: np.ndarray) -> np.ndarray:
        return (latent - self._mean) * self._weight

    def _draw_map(self, draw: ImageDraw.ImageDraw, left: int, here: np.ndarray, row: int) -> None:
        low, high = self._map.min(axis=0), self._map.max(axis=0)
        width = np.maximum(high - low, 1e-9)
        places = np.concatenate([self._map, here[None]])
        places = (places - low + _ROOM * width) / (width * (1 + 2 * _ROOM))
        across, down = (np.clip(places, 0.02, 0.98) * SIDE).T
        down = SIDE - down

        def dot(place: int, size: int, colour: str) -> None:
            x, y = left + across[place], down[place]
            draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)

        for place in range(len(self._map)):
            dot(place, 1, FAINT)
        dot(row, 4, REALITY)
        dot(len(self._map), 4, DREAM)
