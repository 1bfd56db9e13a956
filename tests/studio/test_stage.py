"""A stage steps what is due, shows what changed, and lets stand what nobody watches."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reverie.studio import stage
from reverie.studio.scenery import Scenery
from reverie.studio.stage import REST, Stage


class Clock:
    """Time, when it is told."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The stage's."""
    clock = Clock()
    monkeypatch.setattr(stage, "time", clock)
    return clock


@pytest.fixture
def heard() -> list[tuple[Any, ...]]:
    return []


def on_doom(doom: Scenery, heard: list[tuple[Any, ...]], folder: Path) -> Stage:
    stage = Stage(doom, heard.append, folder)
    stage.take(("open", 1, 0))
    return stage


def of_kind(heard: list[tuple[Any, ...]], kind: str) -> list[tuple[Any, ...]]:
    return [words for words in heard if words[0] == kind]


def test_it_keeps_the_worlds_time(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path, clock: Clock) -> None:
    its = on_doom(doom, heard, tmp_path)
    steps = lambda: len(its.plays[1].session.timeline) - 1
    its.go_on()
    assert (steps(), its.rest()) == (1, pytest.approx(1 / doom.fps))
    clock.now += 0.9 / doom.fps
    its.go_on()
    assert steps() == 1, "not due yet"
    clock.now += 0.2 / doom.fps
    its.go_on()
    assert (steps(), its.rest()) == (2, pytest.approx(0.9 / doom.fps))
    its.take(("say", 1, {"type": "speed", "factor": 0.05}))
    clock.now += its.rest()
    its.go_on()
    assert (steps(), its.rest()) == (3, pytest.approx(min(REST, 20 / doom.fps)))


def test_one_that_is_late_is_not_hurried(
    doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path, clock: Clock
) -> None:
    its = on_doom(doom, heard, tmp_path)
    clock.now += 10
    for _ in range(3):
        its.go_on()
        clock.now += 0.1 / doom.fps
    assert len(its.plays[1].session.timeline) == 3, "one step that was due, one at once, and then the world's time"
    assert its.rest() == pytest.approx(0.7 / doom.fps)


def test_what_nobody_watches_stands_still(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    its = on_doom(doom, heard, tmp_path)
    its.take(("watch", 1, 0))
    heard.clear()
    its.go_on()
    assert heard == []
    assert its.rest() == REST
    its.take(("watch", 1, 1))
    its.go_on()
    assert len(of_kind(heard, "frame")) == 1
    its.take(("close", 1))
    assert its.plays == {}


def test_answers(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    its = on_doom(doom, heard, tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (100, 100), (250, 10, 10)).save(buffer, "PNG")
    asked = [("png", None), ("log", None), ("image", buffer.getvalue()), ("image", b"none"), ("experience", None)]
    for request, (what, argument) in enumerate(asked):
        its.take(("ask", request, 1, what, argument))
    its.take(("ask", 9, 77, "png", None))
    answers = {words[1]: words[2:] for words in of_kind(heard, "answer")}
    assert answers[0][1].startswith(b"\x89PNG")
    assert answers[1][1]["format"] == 1
    assert answers[2] == (True, {})
    assert not answers[3][0]
    assert "cannot be read" in answers[3][1]
    assert answers[4][1]["rows"] == 1
    assert answers[9] == (False, "this play is over.")
    assert its.plays[1].session.origin["origin"] == "image"
    picture = np.frombuffer(its.plays[1].session.frame().panes[0].content, np.uint8).reshape(64, 64, 3)
    assert picture[..., 0].mean() > picture[..., 2].mean()  # what it makes of a red picture is reddish


def test_two_plays_go_on_side_by_side(
    doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path, clock: Clock
) -> None:
    its = on_doom(doom, heard, tmp_path)
    its.take(("open", 2, 5))
    for _ in range(10):
        its.go_on()
        clock.now += 1.001 / doom.fps
    shown = {number: len([it for it in of_kind(heard, "frame") if it[1] == number]) for number in (1, 2)}
    assert shown == {1: 10, 2: 10}
