"""Pictures out: small ones as they are. Pictures in: three formats, few enough pixels, nothing else."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from reverie.errors import UserError
from reverie.studio import pictures
from reverie.types import ArraySpec

SPEC = ArraySpec("image", (64, 64, 3))


def encoded(kind: str, size: tuple[int, int] = (90, 60), **more: object) -> bytes:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2] = (200, 30, 40)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **more)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(width: int, height: int) -> bytes:
    """A small PNG that promises many pixels."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_small_pictures_are_sent_as_they_are_and_large_ones_smaller() -> None:
    small = np.random.default_rng(0).integers(0, 255, (64, 48, 3), np.uint8)
    pane = pictures.pane("dream", small)
    assert (pane.codec, pane.width, pane.height, pane.content) == ("rgb", 48, 64, small.tobytes())
    large = pictures.pane("reality", np.full((400, 600, 3), 7, np.uint8))
    assert (large.codec, large.width, large.height) == ("jpeg", 320, 213)
    assert Image.open(io.BytesIO(large.content)).size == (320, 213)


def test_numbers_and_stills_and_thumbnails() -> None:
    pane = pictures.numbers_pane("dream", np.array([1.5, -2.0]))
    assert np.frombuffer(pane.content, "<f4").tolist() == [1.5, -2.0]
    still = pictures.png(np.full((4, 5, 3), 9, np.uint8))
    assert np.asarray(Image.open(io.BytesIO(still))).tolist() == np.full((4, 5, 3), 9).tolist()
    assert pictures.thumbnail(np.zeros((200, 100, 3), np.uint8)).startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize("channels", [1, 3, 4, 9])
def test_every_image_has_colours_for_people(channels: int) -> None:
    assert pictures.rgb(np.zeros((8, 6, channels), np.uint8)).shape == (8, 6, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_dropped_image_becomes_an_observation(kind: str) -> None:
    found = pictures.dropped(encoded(kind), SPEC)
    assert (found.shape, found.dtype) == ((64, 64, 3), np.uint8)
    assert found[32, 5, 0] > 150  # its middle, red on the left
    assert found[32, 60].max() < 60
    assert pictures.dropped(encoded(kind), ArraySpec("image", (32, 40, 1))).shape == (32, 40, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no image",
        encoded("PNG")[:60],
        encoded("JPEG")[:200],
        encoded("GIF"),
        encoded("BMP"),
        encoded("TIFF"),
        encoded("PPM"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"8BPS\0\1" + b"\0" * 40,
        bomb(50_000, 50_000),
        bomb(2**31 - 1, 2**31 - 1),
        bomb(5_000, 4_000),
        b"RIFF\xff\xff\xff\xffWEBPVP8X",
    ],
    ids=range(14),
)
def test_anything_else_is_refused_at_once(content: bytes) -> None:
    begun = time.perf_counter()
    with pytest.raises(UserError):
        pictures.dropped(content, SPEC)
    assert time.perf_counter() - begun < 0.5


def test_a_file_that_is_too_large_is_not_opened() -> None:
    with pytest.raises(UserError, match="bytes"):
        pictures.dropped(b"\0" * (pictures.BYTES + 1), SPEC)
