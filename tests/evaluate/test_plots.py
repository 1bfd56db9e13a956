import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from reverie.errors import UserError
from reverie.evaluate import plots
from reverie.evaluate.decisions import Decisions
from reverie.evaluate.open_loop import open_loop
from reverie.evaluate.plots import Training, learning_curve, open_loop_error, planners, read_metrics, running_mean
from reverie.evaluate.returns import Returns

pytest.importorskip("matplotlib")

ROWS = [
    {"step": 10, "episode/return": 1.0},
    {"step": 20, "loss/reward": 2.0, "loss/dynamics": 3.0, "speed": 7.0},
    {"step": 30, "episode/return": 5.0, "loss/reward": 1.0},
    {"step": 40, "evaluation/mean": 4.0, "episode/return": float("nan")},
]


def pixels(png, colour):
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((picture == wanted).all(axis=-1).sum())


def training(slope):
    steps = np.arange(1.0, 41.0) * 100
    return Training((steps, slope * steps))


def test_metrics_are_read_by_name():
    run = read_metrics(ROWS)
    assert [curve.tolist() for curve in run.episodes] == [[10, 30], [1, 5]]
    assert [curve.tolist() for curve in run.evaluations] == [[40], [4]]
    assert {name: curve[1].tolist() for name, curve in run.losses.items()} == {"dynamics": [3], "reward": [2, 1]}


def test_the_running_mean_is_that_of_the_last_few():
    steps, means = running_mean((np.arange(5.0), np.array([2.0, 4, 6, 8, 100])), 3)
    assert steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(means, [2, 3, 4, 6, 38])


def test_the_band_goes_from_the_lowest_to_the_highest_seed_where_all_have_data():
    curves = [(np.array([0.0, 10.0]), np.array([0.0, 10.0])), (np.array([5.0, 20.0]), np.array([1.0, 1.0]))]
    steps, low, middle, high = plots._band(curves)
    assert (steps[0], steps[-1]) == (5, 10)
    np.testing.assert_allclose(low, 1)
    np.testing.assert_allclose(high, steps)
    np.testing.assert_allclose(middle, (1 + steps) / 2)


def test_a_curve_is_a_picture_of_readable_size():
    png = learning_curve([read_metrics(ROWS)], title="a run", goal=4.0)
    width, height = Image.open(io.BytesIO(png)).size
    assert 1000 <= width <= 1400
    assert 500 <= height <= 1100
    assert pixels(png, plots._PALETTE[0]) > 500  # the running mean
    assert pixels(png, plots._PALETTE[1]) > 50  # the evaluation


def test_every_loss_is_drawn():
    names = [f"loss of part {number}" for number in range(11)]  # more than there are colours
    curve = (np.array([1.0, 2.0]), np.array([3.0, 1.0]))
    run = Training(curve, losses=dict.fromkeys(names, curve))
    svg = learning_curve([run], title="many", kind="svg").decode()
    assert all(name in svg for name in names)


def test_seeds_become_a_mean_and_a_band():
    svg = learning_curve([training(1.0), training(2.0)], title="two <seeds>", kind="svg").decode()
    ElementTree.fromstring(svg)
    assert "lowest to highest seed" in svg
    assert "mean of 2 seeds" in svg
    assert "two &lt;seeds&gt;" in svg


def test_equal_numbers_give_equal_files():
    assert learning_curve([training(1.0)], title="t", kind="svg") == learning_curve(
        [training(1.0)], title="t", kind="svg"
    )
    assert learning_curve([training(1.0)], title="t") == learning_curve([training(1.0)], title="t")


def test_the_error_of_a_dream_is_drawn_beside_the_baseline(sceptic, swinging):
    svg = open_loop_error(open_loop(sceptic, swinging), title="a dream", kind="svg").decode()
    for text in ("repeat the last observation", "observation: mean squared error", "steps dreamt"):
        assert text in svg


def test_the_two_pictures_of_an_uncovering_differ_only_in_the_curves():
    reality, dream = np.sin(np.arange(30.0))[:, None], np.cos(np.arange(30.0))[:, None]
    uncovering = plots.numbers_over_time(reality, dream, ["wave"], context=10, width=400)
    assert uncovering.full.shape == uncovering.empty.shape
    assert (np.diff(uncovering.columns) > 5).all()
    changed = np.nonzero((uncovering.full != uncovering.empty).any(axis=(0, 2)))[0]
    assert abs(changed.min() - uncovering.columns[0]) <= 3
    assert abs(changed.max() - uncovering.columns[-1]) <= 3


def decided(name: str, candidates: int, mean: float) -> Decisions:
    returns = Returns((mean, mean), (1, 1), 2, (mean - 3, mean + 2))
    return Decisions(name, candidates, 12 * candidates, 0.5 * candidates or 0.1, returns)


def test_planners_are_drawn_by_what_they_cost():
    rows = [decided("policy", 0, 50.0), *[decided(name, n, 10.0 + n) for name in ("cem", "mppi") for n in (32, 8)]]
    svg = planners(rows, title="which <one>", kind="svg").decode()
    ElementTree.fromstring(svg)
    for text in ("cem", "mppi", "policy", "steps imagined", "milliseconds", "95 % interval", "which &lt;one&gt;"):
        assert text in svg
    png = planners(rows, title="t")
    assert pixels(png, plots._PALETTE[0]) > 100
    assert pixels(png, plots._PALETTE[1]) > 100
    assert planners(rows, title="t") == png
    alone = planners(rows[:1], title="no planner at all")
    assert pixels(alone, plots._PALETTE[0]) == 0


def test_no_curve_before_an_episode_ended():
    with pytest.raises(UserError, match="no episode has ended"):
        learning_curve([read_metrics([])], title="t")


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'png' or 'svg', got 'gif'"):
        learning_curve([training(1.0)], title="t", kind="gif")


def test_without_the_extra_the_message_names_it(monkeypatch):
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'pip install "\.\[plots\]"') as caught:
        learning_curve([training(1.0)], title="t")
    assert caught.value.code == 78
