"""How far a dream is from reality, and when it stops being useful: tried where the answer is known."""

import jax.random as jr
import numpy as np

from reverie.studio.beside import STREAK, Beside, reality_of
from reverie.studio.scenery import Scenery
from reverie.studio.timeline import Moment, Timeline

PUSH = np.ones(1, np.int32)


def begun(scenery: Scenery) -> tuple[Beside, Timeline]:
    beside = Beside(scenery, reality_of(scenery), 0, jr.key(0))
    shown = beside.begin().shown
    timeline = Timeline(1)
    timeline.add(-1, "begin", None, shown.state, shown.numbers)
    return beside, timeline


def dreamt(beside: Beside, timeline: Timeline, scenery: Scenery, count: int) -> list[Moment]:
    """Steps of a dream whose state never moves, beside reality."""
    found = [timeline[0]]
    for _ in range(count):
        before = found[-1]
        seen = beside.step(before, PUSH, len(timeline), timeline)
        shown = scenery.mind.read(timeline[0].state)
        moment = timeline.add(before.number, "dream", PUSH, shown.state, shown.numbers)
        assert seen is not None
        beside.note(moment, seen)
        beside.errors(moment, shown, timeline)
        beside.parted(moment, timeline)
        found.append(moment)
    return found


def test_errors_are_those_of_the_pictures_and_states(cartpole: Scenery) -> None:
    beside, timeline = begun(cartpole)
    moment = dreamt(beside, timeline, cartpole, 3)[-1]
    shown = cartpole.mind.read(timeline[0].state)
    found = beside.errors(moment, shown, timeline)
    real = beside.real(moment)
    first = beside.real(timeline[0])
    assert real is not None
    assert first is not None
    truth, guess = real.observation["observation"], shown.decoded["observation"]
    assert np.isclose(found["pixel"], np.mean((truth - guess) ** 2), rtol=1e-4)
    assert np.isclose(found["copied"], np.mean((truth - first.observation["observation"]) ** 2), rtol=1e-4)
    assert found["paid"] == 1
    assert found["latent"] > 0


def test_reality_is_found_along_a_way_that_was_dreamt_alone(cartpole: Scenery) -> None:
    beside, timeline = begun(cartpole)
    path = dreamt(beside, timeline, cartpole, 4)
    expected = beside.real(path[-1])
    fresh = Beside(cartpole, reality_of(cartpole), 0, jr.key(0))
    fresh.begin()
    assert path[-1] not in fresh
    found = fresh.at(path[-1], timeline)
    assert found is not None
    assert expected is not None
    assert np.array_equal(found.real.observation["observation"], expected.observation["observation"])


def test_beyond_its_end_there_is_no_reality(cartpole: Scenery) -> None:
    beside, timeline = begun(cartpole)
    before = timeline[0]
    for _ in range(30):
        seen = beside.step(before, PUSH, len(timeline), timeline)
        if seen is None:
            break
        before = timeline.add(before.number, "dream", PUSH, before.state, before.numbers)
        beside.note(before, seen)
    assert seen is None
    assert len(timeline) > 5


def test_a_dream_parts_where_it_is_worse_than_the_last_picture_for_long_enough(cartpole: Scenery) -> None:
    """The numbers are put in place: worse from step 3 on, once better at step 5, then worse to the end."""
    beside, timeline = begun(cartpole)
    worse = [False, False, False, True, True, False, *[True] * 12]
    parted, before = [], timeline[0]
    for place, is_worse in enumerate(worse):
        if place:
            before = timeline.add(before.number, "dream", PUSH, before.state, before.numbers)
        beside._streak[before.number] = beside._streak.get(before.parent, 0) + 1 if is_worse else 0
        parted.append(beside.parted(before, timeline))
    assert parted == [None] * (6 + STREAK - 1) + [6] * (len(worse) - 6 - STREAK + 1)
