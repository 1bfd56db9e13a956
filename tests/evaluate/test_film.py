import numpy as np
import pytest

from reverie.evaluate import film
from reverie.evaluate.film import DREAM, FAINT, REALITY, Panel, as_rgb, compose, fit

PURPLE, TEAL = (0x7C, 0x3A, 0xED), (0x0F, 0x76, 0x6E)


def count_of(picture, colour):
    return int((picture == np.array(colour)).all(axis=-1).sum())


def test_a_pixel_grows_into_a_square():
    frames = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    grown = fit(frames, 12)
    assert grown.shape == (2, 8, 12, 3)
    np.testing.assert_array_equal(grown[:, ::4, ::4], frames)
    np.testing.assert_array_equal(grown[:, 3, 3], frames[:, 0, 0])


def test_a_large_picture_shrinks_by_averaging():
    frames = np.zeros((1, 4, 8, 3), np.uint8)
    frames[:, :, ::2] = 200
    shrunk = fit(frames, 4)
    assert shrunk.shape == (1, 2, 4, 3)
    assert np.unique(shrunk).tolist() == [100]


@pytest.mark.parametrize(("channels", "shown"), [(1, [0, 0, 0]), (3, [0, 1, 2]), (4, [3, 3, 3]), (6, [3, 4, 5])])
def test_any_channels_become_three(channels, shown):
    images = np.broadcast_to(np.arange(channels, dtype=np.uint8), (2, 1, 1, channels))
    assert as_rgb(images)[1, 0, 0].tolist() == shown


def test_odd_channels_show_their_mean():
    assert as_rgb(np.array([[[[0, 10, 20, 30, 40]]]], np.uint8)).ravel().tolist() == [20, 20, 20]


def test_a_title_changes_when_it_should():
    panel = Panel(np.zeros((4, 1, 1, 3), np.uint8), ((0, "seen", FAINT), (2, "dreamt", DREAM)))
    assert [panel.title(time)[0] for time in range(4)] == ["seen", "seen", "dreamt", "dreamt"]


def test_panels_are_shown_unchanged_beside_each_other():
    left, right = np.full((3, 10, 20, 3), 7, np.uint8), np.full((3, 12, 30, 3), 9, np.uint8)
    panels = [Panel(left, ((0, "a", REALITY),)), Panel(right, ((0, "b", DREAM),))]
    frames = compose(panels, caption="c", notes=["1", "2", "3"])
    assert len(frames) == 3
    assert count_of(frames[1], (7, 7, 7)) == 200
    assert count_of(frames[1], (9, 9, 9)) == 360


def test_the_time_line_turns_into_the_dream_at_the_mark():
    panel = Panel(np.zeros((11, 4, 300, 3), np.uint8), ((0, "a", FAINT),))
    frames = compose([panel], caption="", notes=[""] * 11, begins=5)
    bar = frames[:, -film._FOOTER + 14]  # one row of pixels through the bar
    dreamt = [count_of(row, PURPLE) for row in bar]
    watched = [count_of(row, TEAL) for row in bar]
    assert len(set(dreamt[:6])) == 1  # the mark alone
    assert (np.diff(dreamt[5:]) > 20).all()
    assert (np.diff(watched[:5]) > 20).all()
    assert len(set(watched[6:])) == 1


def test_panels_of_another_length_are_refused():
    panel = Panel(np.zeros((2, 4, 4, 3), np.uint8), ((0, "a", REALITY),))
    with pytest.raises(ValueError, match="3 notes, got panels of"):
        compose([panel], caption="", notes=["", "", ""])
