"""Viewers: two frames under way, the newest only, words in order; stages that fail say so."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reverie.errors import UserError
from reverie.studio import host
from reverie.studio.host import WORDS, Host, Viewer
from reverie.studio.wire import COLUMNS, Frame


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def frame(number: int) -> Frame:
    return Frame(number, number, 0, 0, 0, (), np.full((1, len(COLUMNS)), float(number), np.float32))


def test_at_most_two_frames_are_under_way_and_the_newest_comes_next() -> None:
    async def watch() -> None:
        viewer, got = Viewer(), []
        for number in range(1, 8):
            viewer.show(frame(number))
            if (found := viewer.frame()) is not None:
                got.append(found)
        assert [found.number for found in got] == [1, 2]
        assert viewer.frame() is None
        viewer.acknowledge(1)
        then = viewer.frame()
        assert then is not None
        assert then.number == 7
        assert then.rows[:, 0].tolist() == [3, 4, 5, 6, 7]  # no number is lost
        assert viewer.frame() is None

    run(watch())


def test_words_keep_their_order_and_too_many_end_it() -> None:
    async def watch() -> None:
        viewer = Viewer()
        for number in range(WORDS):
            viewer.say({"number": number})
        assert [words["number"] for words in viewer.words] == list(range(WORDS))
        assert not viewer.gone
        viewer.say({})
        assert viewer.gone

    run(watch())


def test_who_acknowledges_nothing_is_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch() -> None:
        viewer = Viewer()
        assert not viewer.is_stalled
        viewer.show(frame(1))
        viewer.frame()
        monkeypatch.setattr(host, "STALLED", -1.0)
        assert viewer.is_stalled
        viewer.acknowledge(1)
        assert not viewer.is_stalled

    run(watch())


def test_news_wakes_and_silence_does_not_last() -> None:
    async def watch() -> None:
        viewer = Viewer()
        await asyncio.wait_for(viewer.news(0.01), 5)
        viewer.say({})
        await asyncio.wait_for(viewer.news(60), 5)

    run(watch())


def test_a_run_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    async def load() -> None:
        plays = Host(tmp_path)
        try:
            with pytest.raises(UserError, match="No run"):
                await plays.stage(tmp_path / "nothing")
        finally:
            plays.close()

    run(load())


def test_what_is_over_is_over(tmp_path: Path) -> None:
    async def ask() -> None:
        with pytest.raises(UserError, match="over"):
            await Host(tmp_path).ask(5, "", "png")

    run(ask())
