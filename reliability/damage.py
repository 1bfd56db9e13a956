"""Ways in which a file goes bad: each a function of its bytes and a random generator, and never the same bytes."""

from collections.abc import Callable

import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]


def flip_in_header(content: bytes, random: np.random.Generator) -> bytes:
    """One bit of the length or the header of a safetensors file; of any other file, of its first kilobyte."""
    header = 8 + int.from_bytes(content[:8], "little")
    return _flipped(content, int(random.integers(8 * min(header, 1024, len(content)))))


def flip_in_payload(content: bytes, random: np.random.Generator) -> bytes:
    """One bit of the last half."""
    return _flipped(content, int(random.integers(4 * len(content), 8 * len(content))))


def flip(content: bytes, random: np.random.Generator) -> bytes:
    """One bit anywhere."""
    return _flipped(content, int(random.integers(8 * len(content))))


def truncate(content: bytes, random: np.random.Generator) -> bytes:
    """Some bytes less at the end."""
    return content[: int(random.integers(len(content)))]


def zero(content: bytes, random: np.random.Generator) -> bytes:
    """A page (or as much as there is behind its beginning) of zeros over something that was none."""
    somewhere = int(random.choice(np.flatnonzero(np.frombuffer(content, np.uint8))))
    begin = somewhere // 512 * 512
    length = min(4096, len(content) - begin)
    return content[:begin] + bytes(length) + content[begin + length :]


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


EVERY: tuple[Damage, ...] = (flip_in_header, flip_in_payload, flip, truncate, zero)
