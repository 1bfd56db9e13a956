"""What the page and the server say to each other.

    up      JSON text of at most `LARGEST` bytes, of a closed list of kinds: anything else ends the connection
    down    JSON text, ordered and never dropped; and frames, binary, of which only the newest counts

A frame, little-endian: a header of 24 bytes (version, panes, flags, moment, frame, the last input that it knows of,
microseconds that the model took, rows, columns), then each pane (kind, codec, width, height, 0, bytes; 12 bytes) with
its picture, then the numbers of every step since the frame before, float32 [rows, columns].

A frame that was not sent lends its rows to the next one: pictures may be skipped, numbers never are. Free of jax.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from reverie.data import objects

LARGEST = 16 * 1024
"""Bytes of a message from the page, at most."""
VERSION = 1
HEADER = struct.Struct("<BBHIIIIHH")
PANE = struct.Struct("<BBHHHI")

KINDS = {"dream": 0, "reality": 1}
"""What a pane shows."""
CODECS = {"rgb": 0, "jpeg": 1, "vector": 2}
"""How: bytes of pixels, a JPEG, or float32 numbers to be plotted."""
FLAGS = {"paused": 1, "over": 2, "waiting": 4, "eyes": 8, "whole": 16}
"""Paused; at an end; waits until a key is held; the state looks at reality; the rows are those of the whole line."""

COLUMNS = (
    *("moment", "depth", "how", "reward", "value", "continue", "entropy", "uncertainty"),
    *("pixel", "latent", "copied", "looking", "paid", "action"),
)
"""Of a step: its number, depth, kind; what the heads say; error of the picture and of the latent state, of repeating
the last picture seen, of what the model draws when it looks; what the world paid; the first element of the action."""
HOWS = ("begin", "dream", "watch", "edit")
"""Kinds of moments: the first, imagined, observed, changed by hand."""
MOST_ROWS = 2000
"""Numbers of steps that wait for a slow viewer; the oldest are then forgotten."""


@dataclass(frozen=True)
class Pane:
    """A picture of a frame."""

    kind: str
    codec: str
    width: int
    height: int
    content: bytes


@dataclass(frozen=True)
class Frame:
    """A moment as the page shows it."""

    moment: int
    """Of the timeline."""
    number: int
    input: int
    """The last input that it knows of."""
    micros: int
    """What the model took for the last step."""
    flags: int
    panes: tuple[Pane, ...]
    rows: np.ndarray
    """float32 [step, `COLUMNS`]."""

    def after(self, unsent: "Frame | None") -> "Frame":
        """With the numbers of one that this one replaces."""
        if unsent is None or self.flags & FLAGS["whole"]:
            return self
        rows = np.concatenate([unsent.rows, self.rows])[-MOST_ROWS:]
        return replace(self, rows=rows, flags=self.flags | unsent.flags & FLAGS["whole"])

    def pack(self) -> bytes:
        """As it is sent."""
        head = HEADER.pack(
            VERSION, len(self.panes), self.flags, self.moment, self.number, self.input,
            min(self.micros, 2**32 - 1), *self.rows.shape,
        )  # fmt: skip
        parts = [head]
        for pane in self.panes:
            about = PANE.pack(KINDS[pane.kind], CODECS[pane.codec], pane.width, pane.height, 0, len(pane.content))
            parts += [about, pane.content]
        return b"".join([*parts, self.rows.astype("<f4").tobytes()])


def unpack(content: bytes) -> Frame:
    """The inverse of `pack`; what the page does too."""
    version, panes, flags, moment, number, known, micros, rows, columns = HEADER.unpack_from(content)
    if version != VERSION:
        raise ValueError(f"a frame of version {version}, not {VERSION}")
    kinds, codecs = list(KINDS), list(CODECS)
    place, found = HEADER.size, []
    for _ in range(panes):
        kind, codec, width, height, _, size = PANE.unpack_from(content, place)
        place += PANE.size
        found.append(Pane(kinds[kind], codecs[codec], width, height, content[place : place + size]))
        place += size
    numbers = np.frombuffer(content, "<f4", rows * columns, place).reshape(rows, columns)
    return Frame(moment, number, known, micros, flags, tuple(found), numbers)


Check = Callable[[Any], bool]


def _whole(least: int, most: int) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _number(least: float, most: float) -> Check:
    return lambda value: type(value) in (int, float) and math.isfinite(value) and least <= value <= most


def _one_of(*choices: str) -> Check:
    return lambda value: isinstance(value, str) and value in choices


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _names(most: int, longest: int = 24) -> Check:
    fits = lambda name: isinstance(name, str) and len(name) <= longest
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(fits, value))


_COUNT = _whole(0, 2**31 - 1)
MESSAGES: dict[str, dict[str, Check]] = {
    "ack": {"frame": _COUNT},
    "input": {"seq": _COUNT, "held": _names(32)},
    "play": {"on": _is_flag},
    "step": {},
    "player": {"who": _one_of("person", "agent", "both", "random", "planner")},
    "view": {"what": _one_of("dream", "reality", "both")},
    "eyes": {"on": _is_flag},
    "speed": {"factor": _number(0.05, 8.0)},
    "temperature": {"value": _number(0.01, 10.0)},
    "horizon": {"steps": _whole(0, 100_000)},
    "seek": {"moment": _COUNT},
    "tree": {},
    "path": {},
    "dials": {},
    "turn": {"dial": _whole(0, 63), "value": _number(-1e6, 1e6)},
    "begin": {"origin": _one_of("world", "memory", "episode"), "number": _COUNT, "row": _COUNT},
}
"""What the page may say: the fields of each kind, all of them needed, and what each may be."""


def read(text: str) -> dict[str, Any]:
    """A message of the page; ValueError says why it is none."""
    if len(text) > LARGEST:
        raise ValueError(f"a message has at most {LARGEST} characters")
    try:
        message = objects.parse(text.encode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return checked(message)


def checked(message: Mapping[str, Any]) -> dict[str, Any]:
    """The same, if it is one of `MESSAGES`."""
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in MESSAGES:
        raise ValueError("an unknown kind of message")
    fields = MESSAGES[kind]
    if message.keys() != {"type", *fields}:
        raise ValueError(f"{kind}: it has other fields than {', '.join(fields) or 'none'}")
    wrong = [name for name, check in fields.items() if not check(message[name])]
    if wrong:
        raise ValueError(f"{kind}: {wrong[0]} is not what it may be")
    return dict(message)
