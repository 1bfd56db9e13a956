"""One play: who acts, going back, branches, ends, and reality beside the dream."""

import threading
from typing import Any

import numpy as np
import pytest

from reverie.studio import session as module
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session
from reverie.studio.wire import COLUMNS, FLAGS

COLUMN = {name: place for place, name in enumerate(COLUMNS)}


def say(play: Session, kind: str, **more: Any) -> None:
    play.handle({"type": kind, **more})


def steps(play: Session, count: int) -> None:
    """So many, whatever the model holds of ends."""
    for _ in range(count):
        play.playing, play.over = True, False
        play.tick()


def texts(told: list[dict[str, Any]], kind: str) -> list[str]:
    return [words.get("text", "") for words in told if words["type"] == kind]


def test_the_agent_plays_and_a_held_key_takes_over(play: Session) -> None:
    assert play.player.who == "both"
    steps(play, 3)
    say(play, "input", seq=4, held=["0.1"])
    steps(play, 3)
    say(play, "input", seq=5, held=["0.0"])
    steps(play, 2)
    done = [moment.action[0] for moment in play.timeline.moments[5:] if moment.action is not None]
    assert done == [1, 1, 0, 0]
    assert play.frame().input == 5


def test_a_key_that_was_pressed_between_two_steps_counts(play: Session) -> None:
    say(play, "player", who="person")
    say(play, "input", seq=1, held=["0.1"])
    say(play, "input", seq=2, held=[])
    steps(play, 1)
    assert play.timeline[play.at].action == [1]


def test_a_world_in_which_nothing_cannot_be_done_waits_for_the_person(play: Session) -> None:
    say(play, "player", who="person")
    before = len(play.timeline)
    steps(play, 3)
    assert len(play.timeline) == before
    assert play.frame().flags & FLAGS["waiting"]
    say(play, "step")
    assert len(play.timeline) == before + 1


@pytest.mark.parametrize("who", ["agent", "planner", "random"])
def test_others_play(play: Session, who: str) -> None:
    say(play, "player", who=who)
    for count in range(1, 5):
        while len(play.timeline) == count:  # a planner thinks for a while
            steps(play, 1)
    assert len(play.timeline) == 5


def test_a_planner_does_not_hold_others_up(play: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it thinks nothing happens, and a tick takes no time; when it has decided, that is done."""
    asked, decided = threading.Event(), threading.Event()

    def plan(state: Any, *, key: Any) -> np.ndarray:
        asked.set()
        assert decided.wait(60)
        return np.array([1], np.int32)

    monkeypatch.setattr(play.scenery.mind, "plan", plan)
    say(play, "player", who="planner")
    steps(play, 5)
    assert asked.wait(60)
    assert len(play.timeline) == 1
    assert not play.frame().flags & FLAGS["waiting"]
    decided.set()
    while len(play.timeline) == 1:
        steps(play, 1)
    assert play.timeline[1].action == [1]


def test_a_plan_for_a_moment_that_was_left_is_not_followed(play: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Any] = []
    monkeypatch.setattr(
        play.scenery.mind, "plan", lambda state, *, key: planned.append(state) or np.array([0], np.int32)
    )
    say(play, "player", who="planner")
    steps(play, 1)
    say(play, "begin", origin="memory", number=3, row=0)
    while len(play.timeline) == 1:
        steps(play, 1)
    assert len(planned) >= 2
    assert planned[-1] is play.timeline[0].state


def test_paused_is_paused(play: Session) -> None:
    say(play, "play", on=False)
    play.tick()
    assert len(play.timeline) == 1
    assert play.frame().flags & FLAGS["paused"]


def test_going_back_and_on_is_a_branch(play: Session) -> None:
    steps(play, 6)
    say(play, "seek", moment=2)
    assert (play.at, play.playing) == (2, False)
    assert play.frame().moment == 2
    steps(play, 2)
    assert [moment.number for moment in play.timeline.path(play.at)] == [0, 1, 2, 7, 8]
    say(play, "seek", moment=6)
    assert [int(row[0]) for row in play.frame().rows] == [0, 1, 2, 3, 4, 5, 6]


def test_the_same_way_is_the_same_dream(cartpole: Scenery) -> None:
    ends = []
    for _ in range(2):
        play = Session(cartpole, lambda _: None, seed=3)
        steps(play, 5)
        ends.append(play.timeline[play.at].state.deter.tobytes())
    assert ends[0] == ends[1]


def test_every_step_has_its_numbers_once(play: Session) -> None:
    first = play.frame()
    assert first.flags & FLAGS["whole"]
    steps(play, 3)
    then = play.frame()
    assert then.rows[:, 0].tolist() == [1, 2, 3]
    assert not then.flags & FLAGS["whole"]
    assert play.frame().rows.shape == (0, len(COLUMNS))
    say(play, "path")
    assert play.frame().rows[:, 0].tolist() == [0, 1, 2, 3]


def test_side_by_side_has_both_pictures_and_errors(play: Session) -> None:
    steps(play, 2)
    say(play, "view", what="both")
    steps(play, 2)
    frame = play.frame()
    assert [pane.kind for pane in frame.panes] == ["dream", "reality"]
    rows = frame.rows
    assert len(rows) == 5
    assert np.isfinite(rows[:, [COLUMN["pixel"], COLUMN["latent"], COLUMN["copied"], COLUMN["looking"]]]).all()
    assert rows[0, COLUMN["latent"]] == 0
    assert (rows[1:, COLUMN["latent"]] > 0).all()
    assert (rows[1:, COLUMN["paid"]] == 1).all()  # CartPole pays 1 a step


def test_open_eyes_see_reality(play: Session) -> None:
    say(play, "eyes", on=True)
    steps(play, 3)
    frame = play.frame()
    assert frame.flags & FLAGS["eyes"]
    assert frame.rows[1:, COLUMN["how"]].tolist() == [2, 2, 2]
    assert frame.rows[1:, COLUMN["latent"]].tolist() == [0, 0, 0]
    say(play, "eyes", on=False)
    steps(play, 1)
    assert play.frame().rows[-1, COLUMN["how"]] == 1


def test_a_horizon_lets_it_look_now_and_then(play: Session) -> None:
    say(play, "horizon", steps=2)
    steps(play, 6)
    assert play.frame().rows[1:, COLUMN["how"]].tolist() == [1, 1, 2, 1, 1, 2]


def test_reality_comes_along_to_a_branch(play: Session) -> None:
    say(play, "view", what="both")
    steps(play, 5)
    say(play, "seek", moment=1)
    say(play, "input", seq=1, held=["0.1"])
    steps(play, 1)
    branch = play.timeline[play.at]
    say(play, "seek", moment=1)
    say(play, "input", seq=2, held=["0.0"])
    steps(play, 1)
    other = play.timeline[play.at]
    assert play.reality is not None
    here, there = play.reality.real(branch), play.reality.real(other)
    assert here is not None
    assert there is not None
    assert here.observation["observation"][1] > there.observation["observation"][1]  # pushed right, and left


def test_a_dream_from_memory_has_no_reality_and_says_so(play: Session, told: list[dict[str, Any]]) -> None:
    say(play, "begin", origin="memory", number=1, row=0)
    say(play, "view", what="both")
    assert "did not begin in the world" in texts(told, "trouble")[-1]
    assert play.view == "dream"


def test_it_may_begin_in_the_middle_of_an_episode(play: Session) -> None:
    say(play, "begin", origin="episode", number=0, row=4)
    assert play.origin == {"origin": "episode", "number": 0, "row": 4}
    steps(play, 1)
    assert len(play.timeline) == 2


def test_a_slider_makes_a_branch_that_can_be_dreamt_on(play: Session) -> None:
    steps(play, 3)
    say(play, "dials")
    say(play, "turn", dial=0, value=2.0)
    changed = play.timeline[play.at]
    assert changed.how == "edit"
    assert not play.playing
    assert changed.branch == 1
    assert not np.array_equal(changed.state.deter, play.timeline[3].state.deter)
    play.frame()
    for value in (1.0, -1.0, -2.0):  # drawn on: where it ends counts
        say(play, "turn", dial=0, value=value)
    assert len(play.timeline) == 5
    changed = play.timeline[play.at]
    assert changed.state.deter[play._dials[0]["place"]] == -2.0
    rows = play.frame().rows
    assert rows[:, COLUMN["moment"]].tolist() == [changed.number], "its numbers are said again"
    steps(play, 1)
    assert play.timeline[play.at].parent == changed.number


def test_what_cannot_be_is_told_and_nothing_breaks(play: Session, told: list[dict[str, Any]]) -> None:
    for kind, more in (("seek", {"moment": 99}), ("turn", {"dial": 3, "value": 0.0})):
        say(play, kind, **more)
    say(play, "begin", origin="episode", number=10**6, row=0)
    assert len(texts(told, "trouble")) == 3


def test_doom_without_the_game_dreams(doom: Scenery, told: list[dict[str, Any]]) -> None:
    play = Session(doom, told.append)
    first = play.frame().panes[0].content
    steps(play, 3)
    frame = play.frame()
    assert (frame.panes[0].codec, frame.panes[0].width, frame.panes[0].height) == ("rgb", 64, 64)
    assert frame.panes[0].content != first
    if doom.no_reality:
        say(play, "view", what="both")
        assert "Reality is not here" in texts(told, "trouble")[-1]


def test_it_pauses_where_nobody_is(play: Session, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.0)
    play.tick()
    assert not play.playing
    assert "ten minutes" in texts(told, "paused")[0]


def test_an_end_pauses_and_says_why(play: Session, told: list[dict[str, Any]]) -> None:
    say(play, "view", what="both")
    say(play, "player", who="person")
    say(play, "input", seq=1, held=["0.1"])
    for _ in range(40):
        play.playing = True
        play.tick()
        if "The world ended" in "".join(texts(told, "over")):
            break
    assert play.over
    assert any("The world ended after" in text for text in texts(told, "over"))
    assert play.frame().flags & FLAGS["over"]
