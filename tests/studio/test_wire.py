"""What may be said is listed; what is not, is refused; frames come out as they went in, and lose no number."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from reverie.studio import wire
from reverie.studio.wire import COLUMNS, FLAGS, Frame, Pane

GOOD: list[dict[str, Any]] = [
    {"type": "ack", "frame": 3},
    {"type": "input", "seq": 1, "held": ["0.1"]},
    {"type": "play", "on": False},
    {"type": "step"},
    {"type": "player", "who": "both"},
    {"type": "view", "what": "both"},
    {"type": "eyes", "on": True},
    {"type": "speed", "factor": 0.5},
    {"type": "temperature", "value": 1},
    {"type": "horizon", "steps": 15},
    {"type": "seek", "moment": 0},
    {"type": "tree"},
    {"type": "path"},
    {"type": "dials"},
    {"type": "turn", "dial": 0, "value": -1.5},
    {"type": "begin", "origin": "world", "number": 0, "row": 0},
]


def frame(number: int, rows: int, **more: Any) -> Frame:
    table = np.full((rows, len(COLUMNS)), float(number), np.float32)
    panes = (Pane("dream", "rgb", 2, 1, b"abcdef"), Pane("reality", "jpeg", 3, 4, b"xyz"))
    return Frame(7, number, 9, 1234, more.get("flags", 0), panes, table)


def test_every_kind_of_message_passes() -> None:
    assert {message["type"] for message in GOOD} == wire.MESSAGES.keys()
    assert [wire.read(json.dumps(message)) for message in GOOD] == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"type": "step", "more": 1}',
        '{"type": "shell"}',
        '{"type": ["step"]}',
        '{"type": "handle"}',
        '{"type": "step", "type": "step"}',
        '{"type": "seek"}',
        '{"type": "seek", "moment": -1}',
        '{"type": "seek", "moment": 1.0}',
        '{"type": "seek", "moment": true}',
        '{"type": "seek", "moment": 1e999}',
        '{"type": "seek", "moment": 99999999999999999999999999999999999999999999999999}',
        '{"type": "speed", "factor": NaN}',
        '{"type": "speed", "factor": Infinity}',
        '{"type": "speed", "factor": "1"}',
        '{"type": "play", "on": 1}',
        '{"type": "player", "who": "__class__"}',
        '{"type": "input", "seq": 1, "held": ["' + "a" * 25 + '"]}',
        '{"type": "input", "seq": 1, "held": [1]}',
        '{"type": "input", "seq": 1, "held": ' + json.dumps(["a"] * 33) + "}",
        '{"type": "step", "a": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"type": "step"' + " " * wire.LARGEST + "}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.read(text)


@given(
    some.text(max_size=60) | some.recursive(some.none() | some.integers() | some.text(max_size=8), some.lists).map(repr)
)
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.read(text)


def test_a_frame_comes_out_as_it_went_in() -> None:
    sent = frame(5, 3, flags=FLAGS["paused"])
    packed = sent.pack()
    found = wire.unpack(packed)
    assert found.panes == sent.panes
    assert np.array_equal(found.rows, sent.rows)
    assert (found.moment, found.number, found.input, found.micros, found.flags) == (7, 5, 9, 1234, 1)
    assert len(packed) == 24 + 12 + 6 + 12 + 3 + 4 * 3 * len(COLUMNS)
    with pytest.raises(ValueError, match="version"):
        wire.unpack(b"\x09" + packed[1:])


def test_a_frame_takes_the_numbers_of_one_that_was_not_sent() -> None:
    together = frame(3, 1).after(frame(2, 2).after(frame(1, 1)))
    assert together.rows[:, 0].tolist() == [1, 2, 2, 3]
    assert together.number == 3
    assert frame(1, 1).after(None).rows.shape[0] == 1


def test_the_numbers_of_a_whole_line_replace_all_others() -> None:
    whole = frame(2, 2, flags=FLAGS["whole"])
    assert whole.after(frame(1, 5)).rows[:, 0].tolist() == [2, 2]
    after = frame(3, 1).after(whole)
    assert after.rows[:, 0].tolist() == [2, 2, 3]
    assert after.flags & FLAGS["whole"]


def test_waiting_numbers_are_bounded() -> None:
    waiting = frame(0, wire.MOST_ROWS)
    assert len(frame(1, 10).after(waiting).rows) == wire.MOST_ROWS
    assert math.isclose(frame(1, 10).after(waiting).rows[-1, 0], 1)
