import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from hypothesis import given
from hypothesis import strategies as st

from reverie.envs.leaves import channels_last, dropped, leaves, resize, shown
from reverie.errors import UserError
from reverie.types import ArraySpec


def pixels(*shape: int) -> Box:
    return Box(0, 255, shape, np.uint8)


@pytest.mark.parametrize(
    ("space", "spec"),
    [
        (pixels(64, 48, 3), ArraySpec("image", (64, 48, 3))),
        (pixels(3, 64, 48), ArraySpec("image", (64, 48, 3))),
        (pixels(12, 64, 48), ArraySpec("image", (64, 48, 12))),
        (pixels(84, 84), ArraySpec("image", (84, 84, 1))),
        (pixels(1, 1, 1), ArraySpec("image", (1, 1, 1))),
        (pixels(4, 64, 48, 3), ArraySpec("image", (64, 48, 12))),
        (Box(0, 1, (10, 10, 4), bool), ArraySpec("image", (10, 10, 4))),
        (Box(0, 1, (8, 9, 3), np.float32), ArraySpec("image", (8, 9, 3))),
        (MultiBinary((10, 10, 4)), ArraySpec("image", (10, 10, 4))),
        (pixels(128), ArraySpec("vector", (128,))),
        (Box(0, 10, (4, 4), np.uint8), ArraySpec("vector", (16,))),
        (Box(-1, 1, (2, 3, 4), np.float32), ArraySpec("vector", (24,))),
        (Box(-np.inf, np.inf, (), np.float64), ArraySpec("vector", (1,))),
        (Box(0, 1, (3,), bool), ArraySpec("discrete", (3,), (2, 2, 2))),
        (Discrete(5, start=-2), ArraySpec("discrete", (1,), (5,))),
        (MultiDiscrete([[2, 3], [4, 5]]), ArraySpec("discrete", (4,), (2, 3, 4, 5))),
        (MultiBinary(3), ArraySpec("discrete", (3,), (2, 2, 2))),
    ],
)
def test_a_space_says_what_it_holds(space: gymnasium.Space, spec: ArraySpec) -> None:
    (leaf,) = leaves(space)
    array = leaf.read(space.sample())
    assert (leaf.name, leaf.spec) == ("observation", spec)
    assert (array.shape, str(array.dtype)) == (spec.shape, spec.dtype)


def test_nested_spaces_are_named_by_their_path() -> None:
    space = Dict(a=Dict(b=Discrete(2), c=Tuple((Discrete(3), pixels(8, 8)))), d=Text(5), e=Box(0, 1, (0,)))
    assert [leaf.name for leaf in leaves(space)] == ["a/b", "a/c/0", "a/c/1"]
    assert list(dropped(space)) == [("d", "text"), ("e", "empty")]


def test_a_leaf_finds_its_array() -> None:
    space = Dict(a=Tuple((Discrete(3), Discrete(4, start=10))))
    first, second = leaves(space)
    native = {"a": (2, 12)}
    assert (first.read(native).tolist(), second.read(native).tolist()) == ([2], [2])


def test_a_space_without_fixed_size_is_refused() -> None:
    with pytest.raises(UserError, match="'words' has a space of no fixed size"):
        list(leaves(Dict(words=gymnasium.spaces.Sequence(Discrete(3)))))


@pytest.mark.parametrize(
    ("space", "native", "message"),
    [
        (Box(-1, 1, (2,)), np.array([0, np.nan]), "not finite"),
        (Box(-1, 1, (2,), np.float64), np.array([0, 1e300]), "not finite"),
        (Box(-1, 1, (2,)), np.zeros(3), r"shape \(3,\), but the space says \(2,\)"),
        (Discrete(3), 3, r"\[3\], outside of Discrete\(3\)"),
        (Discrete(3), -1, "outside"),
        (Box(0, 1, (8, 8, 3)), np.full((8, 8, 3), np.nan), r"not finite: \[nan, nan, nan, nan\]"),
        (Box(0, 1, (2,), np.float32), np.zeros(2, complex), "has dtype complex128, but the space says float32"),
        (Box(0, 1, (2,), np.float32), np.array([None, 1]), "has dtype object, but the space says float32"),
        (pixels(8, 8, 3), np.zeros((8, 8, 3)), "has dtype float64, but the space says uint8"),
        (pixels(8, 8, 3), np.full((8, 8, 3), 256), "has pixels from 256 to 256, outside of 0 to 255"),
        (Discrete(3), 1.0, "has dtype float64, but the space says int64"),
    ],
)
def test_what_breaks_the_promise_of_its_space_is_refused(space: gymnasium.Space, native: object, message: str) -> None:
    (leaf,) = leaves(space)
    with pytest.raises(ValueError, match=message):
        leaf.read(native)


def test_wider_numbers_of_the_same_kind_are_welcome() -> None:
    (leaf,) = leaves(Box(-1, 1, (2,), np.float32))
    assert [leaf.read(np.ones(2, kind)).dtype for kind in (np.float64, np.int64, bool)] == [np.float32] * 3
    (leaf,) = leaves(pixels(8, 8, 3))
    assert leaf.read(np.full((8, 8, 3), 255)).dtype == np.uint8


def test_a_name_that_no_file_can_hold_is_refused() -> None:
    with pytest.raises(UserError, match="letters that can be printed"):
        list(leaves(Dict({"left\N{NO-BREAK SPACE}eye": Discrete(3)})))


def test_what_is_not_finite_is_lent_by_the_last() -> None:
    (leaf,) = leaves(Box(-np.inf, np.inf, (3,), np.float64))
    mended = leaf.read(np.array([1, np.nan, 1e300]), np.array([7, 8, 9], np.float32))
    assert (mended.tolist(), mended.dtype) == ([1, 8, 9], np.float32)
    (leaf,) = leaves(Box(0, 1, (8, 8, 3), np.float32))
    picture, last = np.zeros((8, 8, 3), np.float32), np.full((8, 8, 3), 7, np.uint8)
    picture[3, 4, 1] = np.inf
    np.testing.assert_array_equal(leaf.read(picture, last), last)


def test_planes_and_unit_floats_fill_the_range() -> None:
    planes = np.eye(4, dtype=bool)[..., None].repeat(3, 2)
    (leaf,) = leaves(Box(0, 1, (4, 4, 3), bool))
    np.testing.assert_array_equal(leaf.read(planes), planes * np.uint8(255))
    (leaf,) = leaves(Box(0, 1, (4, 4, 3), np.float32))
    np.testing.assert_array_equal(leaf.read(np.full((4, 4, 3), 0.5, np.float32)), np.full((4, 4, 3), 128, np.uint8))


def test_channel_first_is_turned_and_not_reshaped() -> None:
    picture = np.arange(3 * 5 * 6, dtype=np.uint8).reshape(3, 5, 6)
    turned = channels_last(picture)
    assert turned[4, 2, 1] == picture[1, 4, 2]


def test_a_stack_becomes_channels_in_order() -> None:
    stack = np.arange(2 * 5 * 6 * 3, dtype=np.uint8).reshape(2, 5, 6, 3)
    merged = channels_last(stack)
    np.testing.assert_array_equal(merged[..., :3], stack[0])
    np.testing.assert_array_equal(merged[..., 3:], stack[1])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(1, 20))
def test_resizing_keeps_a_plain_picture_plain(height: int, width: int, channels: int, side: int) -> None:
    picture = np.full((height, width, channels), 77, np.uint8)
    np.testing.assert_array_equal(resize(picture, side), np.full((side, side, channels), 77, np.uint8))


def test_only_larger_pictures_are_resized_and_planes_never() -> None:
    large, small, planes = (
        next(leaves(space)) for space in (pixels(96, 80, 3), pixels(48, 64, 3), MultiBinary((80, 80, 3)))
    )
    assert [shown(leaf, 64, gray=False).spec.shape for leaf in (large, small, planes)] == [
        (64, 64, 3),
        (48, 64, 3),
        (80, 80, 3),
    ]


def test_rows_are_cut_before_resizing() -> None:
    picture = np.zeros((96, 96, 3), np.uint8)
    picture[84:] = 255
    leaf = shown(next(leaves(pixels(96, 96, 3))), 64, gray=False, rows=84)
    assert leaf.spec.shape == (64, 64, 3)
    assert not leaf.read(picture).any()
    whole = shown(next(leaves(pixels(96, 96, 3))), 0, gray=False, rows=84)
    assert whole.spec.shape == whole.read(picture).shape == (84, 96, 3)
    few = shown(next(leaves(pixels(8, 96, 3))), 0, gray=False, rows=84)
    assert few.spec.shape == (8, 96, 3)


def test_gray_weighs_the_colours() -> None:
    leaf = shown(next(leaves(pixels(4, 4, 3))), 0, gray=True)
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    np.testing.assert_array_equal(leaf.read(red), np.full((4, 4, 1), 60, np.uint8))
