import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text
from hypothesis import given
from hypothesis import strategies as st

from reverie.envs.spaces import Conversion
from reverie.errors import UserError
from reverie.types import ArraySpec

SEEN = Box(-1, 1, (2,))
INFINITE = Box(np.array([-2, -np.inf, 0], np.float32), np.array([4, np.inf, 0], np.float32))


@pytest.mark.parametrize(
    ("space", "spec"),
    [
        (Discrete(4, start=3), ArraySpec("discrete", (1,), (4,))),
        (MultiDiscrete([3, 2], start=[1, -1]), ArraySpec("discrete", (2,), (3, 2))),
        (MultiDiscrete([[3, 2], [2, 5]]), ArraySpec("discrete", (4,), (3, 2, 2, 5))),
        (MultiBinary(3), ArraySpec("discrete", (3,), (2, 2, 2))),
        (Box(-2, 2, (1,)), ArraySpec("continuous", (1,))),
        (Box(-2, 2, (2, 3), np.float64), ArraySpec("continuous", (6,))),
        (Box(0, 9, (2,), np.int64), ArraySpec("continuous", (2,))),
    ],
)
def test_actions_there_and_back(space: gymnasium.Space, spec: ArraySpec) -> None:
    conversion = Conversion(SEEN, space)
    space.seed(0)
    for native in (space.sample() for _ in range(20)):
        action = conversion.action(native)
        assert conversion.spaces.action == spec
        assert (action.shape, str(action.dtype)) == (spec.shape, spec.dtype)
        assert space.contains(conversion.act(action))
        np.testing.assert_allclose(conversion.act(action), native, atol=1e-5)


def test_bounds_are_stretched_and_clipped() -> None:
    conversion = Conversion(SEEN, Box(np.array([-2, 10]), np.array([2, 20]), dtype=np.float64))
    np.testing.assert_allclose(conversion.act(np.array([-1, -1], np.float32)), [-2, 10])
    np.testing.assert_allclose(conversion.act(np.array([0.5, 0], np.float32)), [1, 15])
    np.testing.assert_allclose(conversion.act(np.array([7, -7], np.float32)), [2, 10])


def test_an_element_without_bounds_passes_through() -> None:
    action = np.array([1, 0.25, 0.5], np.float32)
    conversion = Conversion(SEEN, INFINITE)
    np.testing.assert_allclose(conversion.act(action), [4, 0.25, 0])
    np.testing.assert_allclose(conversion.action(conversion.act(action))[:2], action[:2])


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2))
def test_every_action_in_the_square_is_in_the_box(numbers: list[float]) -> None:
    space = Box(np.array([-0.1, 3]), np.array([0.3, 3.3]), dtype=np.float64)
    assert space.contains(Conversion(SEEN, space).act(np.array(numbers, np.float32)))


@pytest.mark.parametrize(
    ("space", "action", "message"),
    [
        (Discrete(3), np.array([3], np.int32), r"below \(3,\), got \[3\]"),
        (Discrete(3), np.array(1, np.int32), r"shape \(1,\) \(discrete\), got \(\)"),
        (Box(-1, 1, (2,)), np.array([0, np.nan], np.float32), "must be finite"),
    ],
)
def test_an_impossible_action_is_refused(space: gymnasium.Space, action: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Conversion(SEEN, space).act(action)


@pytest.mark.parametrize("space", [Dict(a=Discrete(2)), Text(3), Box(-1, 1, (0,))])
def test_an_action_space_that_no_model_has_is_refused(space: gymnasium.Space) -> None:
    with pytest.raises(UserError, match="Needed: Discrete, MultiDiscrete, MultiBinary or Box"):
        Conversion(SEEN, space)


def test_what_is_dropped_is_said() -> None:
    conversion = Conversion(Dict(mission=Text(9), place=SEEN), Discrete(2))
    assert conversion.dropped == ("mission (text)",)
    assert list(conversion.spaces.observation) == ["place"]


def test_nothing_to_see_is_refused() -> None:
    with pytest.raises(UserError, match="Nothing in the observation space"):
        Conversion(Text(9), Discrete(2))


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(UserError, match="the same name"):
        Conversion(Dict({"a/b": SEEN, "a": Dict(b=SEEN)}), Discrete(2))


def test_labels_go_where_they_fit() -> None:
    labels = {"observation": ("x", "y"), "action": ("left", "right")}
    spaces = Conversion(SEEN, Discrete(2), labels=labels).spaces
    assert (spaces.observation["observation"].labels, spaces.action.labels) == (("x", "y"), ("left", "right"))
    spaces = Conversion(SEEN, Box(-1, 1, (2,)), labels=labels).spaces
    assert spaces.action.labels == ("left", "right")
    spaces = Conversion(SEEN, MultiDiscrete([2, 2]), labels=labels).spaces
    assert spaces.action.labels == ()
    spaces = Conversion(Box(-1, 1, (3,)), Discrete(3), labels=labels).spaces
    assert (spaces.observation["observation"].labels, spaces.action.labels) == ((), ())


def test_the_faulty_part_is_named() -> None:
    conversion = Conversion(Dict(place=SEEN, speed=SEEN), Discrete(2))
    with pytest.raises(ValueError, match="observation 'speed' is not finite"):
        conversion.observe({"place": np.zeros(2), "speed": np.array([0, np.inf])})
    with pytest.raises(ValueError, match="observation 'place'"):
        conversion.observe({"speed": np.zeros(2)})
