"""A stage steps what is due, shows what changed, and lets stand what nobody watches."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reverie.studio.scenery import Scenery
from reverie.studio.stage import REST, Stage


@pytest.fixture
def heard() -> list[tuple[Any, ...]]:
    return []


def on_doom(doom: Scenery, heard: list[tuple[Any, ...]], folder: Path) -> Stage:
    stage = Stage(doom, heard.append, folder)
    stage.take(("open", 1, 0))
    return stage


def of_kind(heard: list[tuple[Any, ...]], kind: str) -> list[tuple[Any, ...]]:
    return [words for words in heard if words[0] == kind]


def test_it_keeps_the_worlds_time(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    stage = on_doom(doom, heard, tmp_path)
    stage.go_on()  # which may have to be compiled
    assert stage.rest() <= 1 / doom.fps
    stage.take(("say", 1, {"type": "speed", "factor": 0.05}))
    time.sleep(stage.rest())
    stage.go_on()
    before = len(stage.plays[1].session.timeline)
    stage.go_on()
    assert len(stage.plays[1].session.timeline) == before  # not due yet
    assert stage.rest() > 5 / doom.fps


def test_one_that_is_late_is_not_hurried(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    stage = on_doom(doom, heard, tmp_path)
    stage.plays[1].due -= 10
    stage.go_on()
    stage.go_on()
    stage.go_on()
    assert len(stage.plays[1].session.timeline) <= 4
    assert stage.plays[1].due >= time.monotonic() - 0.5


def test_what_nobody_watches_stands_still(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    stage = on_doom(doom, heard, tmp_path)
    stage.take(("watch", 1, 0))
    heard.clear()
    stage.go_on()
    assert heard == []
    assert stage.rest() == REST
    stage.take(("watch", 1, 1))
    stage.go_on()
    assert len(of_kind(heard, "frame")) == 1
    stage.take(("close", 1))
    assert stage.plays == {}


def test_answers(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    stage = on_doom(doom, heard, tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (100, 100), (250, 10, 10)).save(buffer, "PNG")
    asked = [("png", None), ("log", None), ("image", buffer.getvalue()), ("image", b"none"), ("experience", None)]
    for request, (what, argument) in enumerate(asked):
        stage.take(("ask", request, 1, what, argument))
    stage.take(("ask", 9, 77, "png", None))
    answers = {words[1]: words[2:] for words in of_kind(heard, "answer")}
    assert answers[0][1].startswith(b"\x89PNG")
    assert answers[1][1]["format"] == 1
    assert answers[2] == (True, {})
    assert not answers[3][0]
    assert "cannot be read" in answers[3][1]
    assert answers[4][1]["rows"] == 1
    assert answers[9] == (False, "this play is over.")
    assert stage.plays[1].session.origin["origin"] == "image"
    picture = np.frombuffer(stage.plays[1].session.frame().panes[0].content, np.uint8).reshape(64, 64, 3)
    assert picture[..., 0].mean() > picture[..., 2].mean()  # what it makes of a red picture is reddish


def test_two_plays_go_on_side_by_side(doom: Scenery, heard: list[tuple[Any, ...]], tmp_path: Path) -> None:
    stage = on_doom(doom, heard, tmp_path)
    stage.take(("open", 2, 5))
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        time.sleep(min(0.01, stage.rest()))
        stage.go_on()
    shown = {number: len([it for it in of_kind(heard, "frame") if it[1] == number]) for number in (1, 2)}
    assert min(shown.values()) >= 5
    assert abs(shown[1] - shown[2]) <= 3
