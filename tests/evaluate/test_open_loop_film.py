import dataclasses

import numpy as np
import pytest

from reverie.evaluate import open_loop_film
from reverie.evaluate.open_loop import OpenLoop, open_loop
from reverie.evaluate.open_loop_film import _number_names, beside, film
from reverie.evaluate.plots import Uncovering
from reverie.types import ArraySpec, Spaces

ACTION = ArraySpec("discrete", (1,), classes=(2,))


def holds(frame, colour):
    return int((frame == np.array(colour)).all(axis=-1).sum())


def cannot_draw(observation):
    return None


def test_pixels_are_shown_with_their_difference():
    reality, dream = np.full((4, 2, 2, 3), 40, np.uint8), np.full((4, 2, 2, 3), 60, np.uint8)
    nothing = {"image": np.zeros(4)}
    result = OpenLoop(2, {"image": reality}, {"image": dream}, nothing, nothing)
    frames = film(result, Spaces({"image": ArraySpec("image", (2, 2, 3))}, ACTION), cannot_draw, caption="toy")
    assert len(frames) == 4
    side = holds(frames[0], (40, 40, 40))
    assert side > 40_000
    assert holds(frames[0], (60, 60, 60)) == side
    assert holds(frames[0], (137, 137, 137)) == side  # (60 - 40 + 255) // 2
    assert (frames[1] != frames[2]).any()


def test_a_world_without_pixels_is_drawn_by_its_environment(balancer, swinging):
    def draw(observation):
        grey = np.uint8(100 + 100 * observation["observation"][0])
        return np.full((30, 40, 3), grey)

    result = open_loop(balancer, swinging)
    result = dataclasses.replace(result, dream={"observation": np.full((40, 4), 1.5, np.float32)})
    frames = film(result, balancer.spaces, draw, caption="drawn")
    position = swinging.observation["observation"][39, 0]
    assert holds(frames[39], [int(100 + 100 * position)] * 3) > 50_000
    assert holds(frames[39], [250] * 3) > 50_000


def test_several_accounts_of_one_episode_stand_beside_reality():
    spaces, nothing = Spaces({"image": ArraySpec("image", (2, 2, 3))}, ACTION), {"image": np.zeros(4)}
    pixels = {shade: {"image": np.full((4, 2, 2, 3), shade, np.uint8)} for shade in (40, 60, 80)}
    results = [(f"dream {shade}", OpenLoop(2, pixels[40], pixels[shade], nothing, nothing)) for shade in (60, 80)]
    frames = beside(results, spaces, cannot_draw, caption="toy")
    sides = [holds(frames[0], [shade] * 3) for shade in pixels]
    assert min(sides) == max(sides) > 20_000
    order = [int(np.flatnonzero((frames[0] == shade).all(axis=-1).any(axis=0))[0]) for shade in pixels]
    assert order == sorted(order)
    assert (frames[1] != frames[2]).any()


def test_several_accounts_without_pictures_are_plotted_each(balancer, swinging):
    pytest.importorskip("matplotlib")
    result = open_loop(balancer, swinging)
    frames = beside([("one", result), ("two", result)], balancer.spaces, cannot_draw, caption="plotted")
    middle = frames.shape[2] // 2
    purple = [holds(half, (0x7C, 0x3A, 0xED)) for half in (frames[39, :, :middle], frames[39, :, middle:])]
    assert min(purple) > 300


def test_what_cannot_be_drawn_is_plotted_and_uncovered_in_time(balancer, swinging):
    pytest.importorskip("matplotlib")
    frames = film(open_loop(balancer, swinging), balancer.spaces, cannot_draw, caption="plotted")
    plots = frames[:, 70:-60, 20:-20]  # not the titles, the frame or the time line
    covered = [int((plot != plots[39]).sum()) for plot in plots]
    assert covered[0] > 1000
    assert (np.diff(covered) < 0).all()
    purple = [holds(plot, (0x7C, 0x3A, 0xED)) for plot in plots]
    assert purple[39] > purple[25] > purple[19]


def test_numbers_are_named_as_the_environment_does():
    spaces = Spaces(
        {
            "arm": ArraySpec("vector", (2,), labels=("left", "right")),
            "door": ArraySpec("discrete", (1,), classes=(2,)),
            "sensor": ArraySpec("vector", (9,)),
        },
        ACTION,
    )
    assert _number_names(spaces) == ["left", "right", "door", *(f"sensor {index}" for index in range(9))]


def test_of_many_numbers_the_liveliest_are_plotted(monkeypatch):
    plotted = []

    def plot(reality, dream, names, **_):
        plotted.extend(names)
        return Uncovering(*np.zeros((2, 8, 8, 3), np.uint8), np.arange(4))

    monkeypatch.setattr(open_loop_film, "numbers_over_time", plot)
    numbers = np.outer(np.arange(4.0), [0, 5, 0, 1, 2, 3, 0, 4, 6]).astype(np.float32)
    nothing = {"sensor": np.zeros(4)}
    result = OpenLoop(2, {"sensor": numbers}, {"sensor": numbers}, nothing, nothing)
    film(result, Spaces({"sensor": ArraySpec("vector", (9,))}, ACTION), cannot_draw, caption="c")
    assert plotted == ["sensor 1", "sensor 3", "sensor 4", "sensor 5", "sensor 7", "sensor 8"]
