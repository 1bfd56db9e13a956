"""What is drawn on frames: panels side by side under titles, and a time line that says where the dream begins.

Frames are uint8 of shape (time, height, width, 3). Small pixels grow by whole numbers, nearest neighbour, so that one
pixel of the world stays a square; large pictures shrink by averaging. Text is in Pillow's own font: no file is needed.

Elsewhere: turning frames into a file's bytes (`video`), turning a dream into frames (`open_loop_film`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from reverie.evaluate.video import Frames

INK = "#1e293b"
FAINT = "#94a3b8"
PAPER = "#ffffff"
REALITY = "#0f766e"
DREAM = "#7c3aed"
DIFFERENCE = "#b45309"

_MARGIN = 14
_TITLE = 28
_CAPTION = 30
_FOOTER = 44


@dataclass(frozen=True)
class Panel:
    """One column of a film."""

    frames: Frames
    titles: tuple[tuple[int, str, str], ...]
    """(first frame, text, colour), by rising first frame: what the panel is called from that frame on."""

    def title(self, time: int) -> tuple[str, str]:
        """Text and colour at one frame."""
        return [(text, colour) for first, text, colour in self.titles if first <= time][-1]


def as_rgb(images: UInt8[np.ndarray, "_time _height _width _channel"]) -> Frames:
    """Grey becomes RGB; of stacked frames the newest (last) is shown; other channel counts show their mean."""
    channels = images.shape[-1]
    if channels % 3 == 0:
        return images[..., -3:]
    grey = images[..., -1:] if channels in (1, 2, 4) else images.mean(-1, keepdims=True).astype(np.uint8)
    return np.repeat(grey, 3, axis=-1)


def fit(frames: Frames, width: int) -> Frames:
    """Frames about `width` wide: grown by the nearest whole number >= 1, or shrunk to exactly that."""
    _, old_height, old_width, _ = frames.shape
    if old_width <= width:
        factor = max(1, round(width / old_width))
        return frames.repeat(factor, axis=1).repeat(factor, axis=2)
    size = (width, max(1, round(old_height * width / old_width)))
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX)) for frame in frames])


def compose(panels: list[Panel], *, caption: str, notes: list[str], begins: int | None = None) -> Frames:
    """Panels beside each other; above, a caption and a note per frame; below, a time line with a mark at `begins`."""
    count = len(notes)
    if not panels or any(len(panel.frames) != count for panel in panels):
        lengths = [len(panel.frames) for panel in panels]
        raise ValueError(f"compose needs panels as long as its {count} notes, got panels of {lengths} frames")
    height = max(panel.frames.shape[1] for panel in panels)
    width = sum(panel.frames.shape[2] for panel in panels) + _MARGIN * (len(panels) + 1)
    footer = _MARGIN if begins is None else _FOOTER
    size = (width, _CAPTION + _TITLE + height + footer)
    return np.stack(
        [
            _frame(panels, size, caption, notes[time], time / max(1, count - 1), time, _mark(begins, count))
            for time in range(count)
        ]
    )


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in font."""
    return ImageFont.load_default(size)


def _mark(begins: int | None, count: int) -> float | None:
    return None if begins is None else begins / max(1, count - 1)


def _frame(
    panels: list[Panel],
    size: tuple[int, int],
    caption: str,
    note: str,
    now: float,
    time: int,
    mark: float | None,
) -> UInt8[np.ndarray, "height width 3"]:
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_MARGIN, 10), caption, INK, font(14))
    left = _MARGIN
    for panel in panels:
        text, colour = panel.title(time)
        _, height, width, _ = panel.frames.shape
        draw.text((left, _CAPTION + 4), text, colour, font(15))
        top = _CAPTION + _TITLE
        draw.rectangle((left - 2, top - 2, left + width + 1, top + height + 1), outline=colour, width=2)
        canvas.paste(Image.fromarray(panel.frames[time]), (left, top))
        left += width + _MARGIN
    draw.text((size[0] - _MARGIN - draw.textlength(note, font(14)), 10), note, FAINT, font(14))
    if mark is not None:
        _time_line(draw, size, now, mark)
    return np.asarray(canvas)


def _time_line(draw: ImageDraw.ImageDraw, size: tuple[int, int], now: float, mark: float) -> None:
    """A thin bar filled up to now: what was seen in the colour of reality, what was dreamt in the dream's."""
    left, right, top = _MARGIN, size[0] - _MARGIN, size[1] - _FOOTER + 12

    def place(share: float) -> float:
        return left + share * (right - left)

    draw.rectangle((left, top, right, top + 4), fill="#e2e8f0")
    draw.rectangle((left, top, place(min(now, mark)), top + 4), fill=REALITY)
    if now > mark:
        draw.rectangle((place(mark), top, place(now), top + 4), fill=DREAM)
    draw.rectangle((place(mark) - 1, top - 5, place(mark) + 1, top + 9), fill=DREAM)
    text = "the dream starts here"
    start = place(mark) + 6 if mark < 0.6 else place(mark) - 6 - draw.textlength(text, font(13))
    draw.text((start, top + 9), text, DREAM, font(13))
