import numpy as np
import pytest

from reverie.errors import UserError
from reverie.evaluate.open_loop import open_loop, row_error
from reverie.protocol import Trained
from reverie.types import ArraySpec, Spaces


def test_a_true_model_dreams_the_truth(balancer, swinging):
    result = open_loop(balancer, swinging)
    assert (result.context, result.rows) == (20, 40)
    np.testing.assert_allclose(result.dream["observation"], result.reality["observation"], atol=1e-5)
    assert result.error["observation"].max() < 1e-9
    assert result.baseline["observation"][-1] > 1e-2


def test_an_action_one_row_late_would_be_seen(balancer, swinging):
    late = swinging._replace(action=np.roll(swinging.action, 1, axis=0))
    assert open_loop(balancer, late).error["observation"][-1] > 1e-3


def test_a_dream_that_stands_still_is_the_baseline(sceptic, swinging):
    result = open_loop(sceptic, swinging, context=7)
    np.testing.assert_allclose(result.error["observation"], result.baseline["observation"], rtol=1e-5)
    np.testing.assert_array_equal(result.baseline["observation"] > 0, np.arange(40) >= 7)


def test_the_window_is_where_it_was_asked_for(balancer, swinging):
    result = open_loop(balancer, swinging, start=5, rows=10, context=3)
    np.testing.assert_array_equal(result.reality["observation"], swinging.observation["observation"][5:15])
    assert result.error["observation"].max() < 1e-9


def test_a_window_longer_than_the_episode_ends_with_it(balancer, swinging):
    assert open_loop(balancer, swinging, start=30, rows=1000).rows == 10


@pytest.mark.parametrize("context", [0, 40])
def test_an_impossible_context_is_refused(balancer, swinging, context):
    with pytest.raises(ValueError, match=f"1 <= context < rows, got context={context}"):
        open_loop(balancer, swinging, context=context)


def test_two_episodes_are_refused(balancer, swinging):
    swinging.is_first[9] = True
    with pytest.raises(ValueError, match="rows of one episode"):
        open_loop(balancer, swinging)


def test_a_method_without_a_decoder_says_so(balancer, swinging):
    blind = Trained(balancer.spaces, balancer.model, balancer.policy, {})
    with pytest.raises(UserError, match="no decoder"):
        open_loop(blind, swinging)


def test_what_is_not_decoded_is_not_compared(balancer, swinging):
    spaces = Spaces(balancer.spaces.observation | {"clock": ArraySpec("vector", (1,))}, balancer.spaces.action)
    trained = Trained(spaces, balancer.model, balancer.policy, balancer.heads)
    longer = swinging._replace(observation=swinging.observation | {"clock": np.zeros((40, 1), np.float32)})
    result = open_loop(trained, longer)
    assert result.reality.keys() == result.dream.keys() == result.error.keys() == {"observation"}


def test_errors_are_in_the_units_the_docstring_says():
    vector, image = ArraySpec("vector", (2,)), ArraySpec("image", (2, 2, 1))
    choice = ArraySpec("discrete", (4,), classes=(3, 3, 3, 3))
    assert row_error(vector, np.zeros((3, 2)), np.full((3, 2), 2.0)).tolist() == [4, 4, 4]
    black, white = np.zeros((1, 2, 2, 1), np.uint8), np.full((1, 2, 2, 1), 255, np.uint8)
    assert row_error(image, black, white).tolist() == [1.0] == row_error(image, white, black).tolist()
    assert row_error(choice, np.array([[0, 1, 2, 0]]), np.array([[0, 1, 0, 1]])).tolist() == [0.5]


def test_decoded_pixels_become_pixels(balancer):
    from reverie.evaluate.open_loop import _as_shown

    shown = _as_shown(ArraySpec("image", (1, 3, 1)), np.array([[[[-4.0], [99.6], [300.0]]]]))
    assert shown.dtype == np.uint8
    assert shown.ravel().tolist() == [0, 100, 255]
