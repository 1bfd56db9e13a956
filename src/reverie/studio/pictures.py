"""Pictures in and out of the studio: panes of frames, stills, and images that somebody drops into the page.

What comes from outside is decoded by an allow-list of formats, and only when its header promises few enough pixels.
Free of jax.
"""

import base64
import io
import warnings

import numpy as np
from PIL import Image

from reverie.errors import UserError
from reverie.evaluate.film import as_rgb
from reverie.studio.wire import Pane
from reverie.types import ArraySpec

FORMATS = ("PNG", "JPEG", "WEBP")
PIXELS = 16_000_000
"""Of an image from outside, at most."""
BYTES = 8 * 2**20
"""Of its file."""
RAW = 96
"""Pictures of at most so many pixels a side are sent as they are, others as JPEG."""
WIDEST = 320
"""Pixels of a pane, at most; the page enlarges it."""
_THUMBNAIL = 64


def pane(kind: str, picture: np.ndarray) -> Pane:
    """A picture [height, width, 3] as it is sent."""
    height, width = picture.shape[:2]
    if max(height, width) <= RAW:
        return Pane(kind, "rgb", width, height, np.ascontiguousarray(picture, np.uint8).tobytes())
    image = _within(Image.fromarray(picture), WIDEST)
    return Pane(kind, "jpeg", *image.size, _jpeg(image))


def numbers_pane(kind: str, values: np.ndarray) -> Pane:
    """Numbers, for the page to plot."""
    return Pane(kind, "vector", min(values.size, 2**16 - 1), 1, values.reshape(-1).astype("<f4").tobytes())


def rgb(picture: np.ndarray) -> np.ndarray:
    """An observed or decoded image [height, width, channel] for people."""
    return np.ascontiguousarray(as_rgb(np.asarray(picture, np.uint8)[None])[0])


def png(picture: np.ndarray) -> bytes:
    """A still."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def thumbnail(picture: np.ndarray) -> str:
    """A small JPEG as a data URL."""
    image = _within(Image.fromarray(picture), _THUMBNAIL)
    return "data:image/jpeg;base64," + base64.b64encode(_jpeg(image)).decode()


def dropped(content: bytes, spec: ArraySpec) -> np.ndarray:
    """An image from outside in the form of an observation: cut to its shape from the middle, and resized.

    Raises `UserError` for what is no PNG, JPEG or WebP, or too large, before it is decoded.
    """
    if len(content) > BYTES:
        raise UserError(f"the image has {len(content):,} bytes; {BYTES:,} are allowed.", code=64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what we refuse a line later
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            if image.width * image.height > PIXELS:
                raise UserError(f"the image has {image.width}x{image.height} pixels; {PIXELS:,} are allowed.", code=64)
            image.seek(0)
            image = image.convert("RGB")
    except UserError:
        raise
    except (OSError, ValueError, SyntaxError, MemoryError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"the image cannot be read as {', '.join(FORMATS)}.", code=64) from error
    height, width, channels = spec.shape
    share = min(image.width / width, image.height / height)
    left, top = (image.width - width * share) / 2, (image.height - height * share) / 2
    box = (left, top, left + width * share, top + height * share)
    image = image.resize((width, height), Image.Resampling.BOX, box)
    pixels = np.asarray(image if channels % 3 == 0 else image.convert("L").convert("RGB"))
    return np.ascontiguousarray(np.tile(pixels, -(-channels // 3))[..., :channels])


def _within(image: Image.Image, side: int) -> Image.Image:
    """At most so many pixels a side."""
    share = side / max(image.size)
    if share >= 1:
        return image
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BOX)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
