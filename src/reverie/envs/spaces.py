"""Any Gymnasium space as named arrays: what a world shows, and what can be done in it, in the model's terms.

    Box, uint8 0..255, 2 axes or more       image (height, width, channel); channel-first is turned, a stack of
    Box or MultiBinary 0/1, 3 axes or more  images becomes channels; 0/1 planes and 0..1 floats become 0..255
    Box, anything else                      vector, flat, float32
    Discrete, MultiDiscrete, MultiBinary    discrete, flat, counted from 0 whatever `start` is
    Dict, Tuple                             their leaves, named by their path: `a/b`, `0/1`
    strings                                 dropped, and `Conversion.dropped` says so

A space without names is called `observation`. Actions: Discrete, MultiDiscrete, MultiBinary as above; Box as numbers in
[-1, 1], rescaled from its bounds, element by element; an element without finite bounds is passed through.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from reverie.errors import UserError
from reverie.types import ArraySpec, Spaces

GRAY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Leaf:
    """One array inside an observation space: where it is, and how it is read."""

    name: str
    path: tuple[Any, ...]
    space: gymnasium.Space[Any]
    spec: ArraySpec
    side: int = 0
    """Images are resized to this many pixels; 0 leaves them."""
    gray: bool = False

    def read(self, native: Any) -> np.ndarray:
        """The array of this leaf, out of the environment's whole observation."""
        for part in self.path:
            native = native[part]
        array = np.asarray(native)
        if array.shape != self.space.shape:
            raise ValueError(f"has shape {array.shape}, but the space says {self.space.shape}")
        if self.spec.kind == "image":
            return self._image(array)
        if self.spec.kind == "discrete":
            return self._choices(array)
        return self._numbers(array)

    def _numbers(self, array: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            flat = array.reshape(-1).astype(np.float32)
        if not np.isfinite(flat).all():
            raise ValueError(f"is not finite: {array.reshape(-1)[~np.isfinite(flat)][:4].tolist()}")
        return flat

    def _choices(self, array: np.ndarray) -> np.ndarray:
        flat = array.reshape(-1).astype(np.int64) - np.asarray(getattr(self.space, "start", 0)).reshape(-1)
        if (flat < 0).any() or (flat >= self.spec.classes).any():
            raise ValueError(f"is {array.reshape(-1).tolist()}, outside of {self.space}")
        return flat.astype(np.int32)

    def _image(self, array: np.ndarray) -> np.ndarray:
        if array.dtype != np.uint8 or _unit(self.space):
            numbers = array.astype(np.float32) * (255 if _unit(self.space) else 1)
            if not np.isfinite(numbers).all():
                raise ValueError("is not finite")
            array = np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
        picture = np.ascontiguousarray(channels_last(array))
        if self.side and picture.shape[:2] != (self.side, self.side):
            picture = resize(picture, self.side)
        if self.gray:
            picture = np.rint(picture @ GRAY).astype(np.uint8)[..., None]
        return picture


class Conversion:
    """One environment's own observations and actions, and the model's.

    Args:
        observation: the environment's observation space.
        action: its action space.
        labels: names of elements by observation name, and of the choices under `action`.
        side: larger images are resized to this; 0 leaves them.
        gray: colour images lose their colour.
    """

    def __init__(
        self,
        observation: gymnasium.Space[Any],
        action: gymnasium.Space[Any],
        *,
        labels: dict[str, tuple[str, ...]] | None = None,
        side: int = 0,
        gray: bool = False,
    ) -> None:
        labels = labels or {}
        self.dropped: tuple[str, ...] = tuple(f"{name} ({why})" for name, why in _dropped(observation, ()))
        self.leaves = [_labelled(_shown(leaf, side, gray), labels) for leaf in _leaves(observation, ())]
        self.action_space = action
        specs = {leaf.name: leaf.spec for leaf in self.leaves}
        if len(specs) != len(self.leaves):
            raise UserError(f"Two parts of the observation space have the same name: {observation}. Rename one.")
        if not specs:
            raise UserError(f"Nothing in the observation space can be learned from: {observation}.")
        spec = _action_spec(action)
        choices = labels.get("action", ())
        if spec.kind == "discrete" and len(spec.classes) == 1 and len(choices) == spec.classes[0]:
            spec = replace(spec, labels=choices)
        self.spaces = Spaces(observation=specs, action=spec)

    def observe(self, native: Any) -> dict[str, np.ndarray]:
        """The named arrays of one observation. Raises ValueError that names the part and its fault."""
        arrays = {}
        for leaf in self.leaves:
            try:
                arrays[leaf.name] = leaf.read(native)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise ValueError(f"observation {leaf.name!r} {error}") from error
        return arrays

    def act(self, action: np.ndarray) -> Any:
        """What the environment takes, for an action in the model's form."""
        spec = self.spaces.action
        array = np.asarray(action)
        if array.shape != spec.shape:
            raise ValueError(f"an action has shape {spec.shape} ({spec.kind}), got {array.shape}")
        if spec.kind == "continuous":
            return self._stretched(array)
        if (array < 0).any() or (array >= spec.classes).any():
            raise ValueError(f"an action's choices are below {spec.classes}, got {array.tolist()}")
        space = self.action_space
        if isinstance(space, gymnasium.spaces.Discrete):
            return space.dtype.type(array[0] + space.start)
        chosen = array.reshape(space.shape or ()) + np.asarray(getattr(space, "start", 0))
        return chosen.astype(space.dtype)

    def action(self, native: Any) -> np.ndarray:
        """The model's form of an action that the environment takes; the inverse of `act`."""
        space, spec = self.action_space, self.spaces.action
        if spec.kind == "discrete":
            start = np.asarray(getattr(space, "start", 0))
            return (np.asarray(native) - start).reshape(spec.shape).astype(np.int32)
        low, high = _bounds(space)
        middle, half = (high + low) / 2, np.maximum((high - low) / 2, 1e-12)
        return np.clip((np.asarray(native, np.float64).reshape(-1) - middle) / half, -1, 1).astype(np.float32)

    def _stretched(self, array: np.ndarray) -> np.ndarray:
        if not np.isfinite(array).all():
            raise ValueError(f"an action must be finite, got {array.tolist()}")
        low, high = _bounds(self.action_space)
        share = (np.clip(array.astype(np.float64), -1, 1) + 1) / 2
        native = low + share * (high - low)
        if np.issubdtype(self.action_space.dtype, np.integer):
            native = np.rint(native)
        return native.reshape(self.action_space.shape).astype(self.action_space.dtype)


def channels_last(array: np.ndarray) -> np.ndarray:
    """(height, width, channel) of any array of pixels.

    The last axis holds the channels if it has 1, 3 or 4, or if the first is not smaller than both others. Axes before
    the last three are a stack of images, and become channels too.
    """
    if array.ndim == 2:
        return array[..., None]
    first, second, last = array.shape[-3:]
    if last not in (1, 3, 4) and first < min(second, last):
        array = np.moveaxis(array, -3, -1)
    while array.ndim > 3:
        array = np.moveaxis(array, 0, -2)
        array = array.reshape(*array.shape[:-2], -1)
    return array


def resize(image: np.ndarray, side: int) -> np.ndarray:
    """A square (side, side, channel) picture, bilinear with antialiasing as Pillow does it."""
    if image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
    planes = [
        Image.fromarray(plane).resize((side, side), Image.Resampling.BILINEAR) for plane in np.moveaxis(image, 2, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


def _leaves(space: gymnasium.Space[Any], path: tuple[Any, ...]) -> Iterator[Leaf]:
    for part, inner in _parts(space):
        yield from _leaves(inner, (*path, part))
    if not _parts(space) and not _why_dropped(space):
        name = "/".join(str(part) for part in path) or "observation"
        yield Leaf(name, path, space, _observation_spec(name, space))


def _dropped(space: gymnasium.Space[Any], path: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    for part, inner in _parts(space):
        yield from _dropped(inner, (*path, part))
    if not _parts(space) and _why_dropped(space):
        yield "/".join(str(part) for part in path) or "observation", _why_dropped(space)


def _parts(space: gymnasium.Space[Any]) -> list[tuple[Any, gymnasium.Space[Any]]]:
    if isinstance(space, gymnasium.spaces.Dict):
        return list(space.spaces.items())
    if isinstance(space, gymnasium.spaces.Tuple):
        return list(enumerate(space.spaces))
    return []


def _why_dropped(space: gymnasium.Space[Any]) -> str:
    if space.dtype is not None and np.dtype(space.dtype).kind == "U":
        return "text"
    return "empty" if space.shape is not None and 0 in space.shape else ""


def _observation_spec(name: str, space: gymnasium.Space[Any]) -> ArraySpec:
    if isinstance(space, gymnasium.spaces.Box | gymnasium.spaces.MultiBinary) and _is_image(space):
        return ArraySpec("image", channels_last(np.empty(space.shape, np.uint8)).shape)
    if isinstance(space, gymnasium.spaces.Box) and space.dtype != np.bool_:
        return ArraySpec("vector", (int(np.prod(space.shape)),))
    classes = _classes(space)
    if classes is None:
        raise UserError(
            f"Observation {name!r} has a space of no fixed size: {space}. "
            "Needed: Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of them. Wrap the environment."
        )
    return ArraySpec("discrete", (len(classes),), classes)


def _action_spec(space: gymnasium.Space[Any]) -> ArraySpec:
    if isinstance(space, gymnasium.spaces.Box) and space.dtype != np.bool_ and 0 not in space.shape:
        return ArraySpec("continuous", (int(np.prod(space.shape)),))
    classes = _classes(space)
    if not classes:
        raise UserError(
            f"The action space is {space}. Needed: Discrete, MultiDiscrete, MultiBinary or Box. Wrap the environment."
        )
    return ArraySpec("discrete", (len(classes),), classes)


def _classes(space: gymnasium.Space[Any]) -> tuple[int, ...] | None:
    if isinstance(space, gymnasium.spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return tuple(int(n) for n in space.nvec.reshape(-1))
    if isinstance(space, gymnasium.spaces.MultiBinary) or (isinstance(space, gymnasium.spaces.Box)):
        return (2,) * int(np.prod(space.shape))
    return None


def _is_image(space: gymnasium.spaces.Box | gymnasium.spaces.MultiBinary) -> bool:
    if len(space.shape) >= 3 and _unit(space):
        return True
    if isinstance(space, gymnasium.spaces.MultiBinary) or len(space.shape) < 2:
        return False
    pixels = bool((space.low == 0).all() and (space.high == 255).all())
    return pixels and (space.dtype == np.uint8 or len(space.shape) >= 3)


def _unit(space: gymnasium.Space[Any]) -> bool:
    """Whether every element lies between 0 and 1."""
    if isinstance(space, gymnasium.spaces.Box):
        return space.dtype == np.bool_ or bool((space.low == 0).all() and (space.high == 1).all())
    return isinstance(space, gymnasium.spaces.MultiBinary)


def _bounds(space: gymnasium.Space[Any]) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = space.low.reshape(-1).astype(np.float64), space.high.reshape(-1).astype(np.float64)
    known = np.isfinite(low) & np.isfinite(high)
    return np.where(known, low, -1.0), np.where(known, high, 1.0)


def _shown(leaf: Leaf, side: int, gray: bool) -> Leaf:
    if leaf.spec.kind != "image":
        return leaf
    height, width, channels = leaf.spec.shape
    side = side if side and max(height, width) > side and not _planes(leaf.space) else 0
    gray = gray and channels == 3
    shape = (side or height, side or width, 1 if gray else channels)
    return replace(leaf, spec=ArraySpec("image", shape), side=side, gray=gray)


def _planes(space: gymnasium.Space[Any]) -> bool:
    """Whether an image is made of yes-or-no cells, which blur would destroy."""
    return isinstance(space, gymnasium.spaces.MultiBinary) or space.dtype == np.bool_


def _labelled(leaf: Leaf, labels: dict[str, tuple[str, ...]]) -> Leaf:
    names = labels.get(leaf.name, ())
    if leaf.spec.kind == "vector" and len(names) == leaf.spec.shape[0]:
        return replace(leaf, spec=replace(leaf.spec, labels=names))
    return leaf
