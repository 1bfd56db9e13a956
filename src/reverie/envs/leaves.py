"""The arrays inside an observation space: which there are, and how each is read.

Box, uint8 0..255, 2 axes or more       image (height, width, channel); channel-first is turned, a stack of
Box or MultiBinary 0/1, 3 axes or more  images becomes channels; 0/1 planes and 0..1 floats become 0..255
Box, anything else                      vector, flat, float32
Discrete, MultiDiscrete, MultiBinary    discrete, flat, counted from 0 whatever `start` is
Dict, Tuple                             their leaves, named by their path: `a/b`, `0/1`
strings, arrays without elements        dropped, with the reason
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from PIL import Image

from reverie.errors import UserError
from reverie.types import ArraySpec

Space = gymnasium.Space[Any]
GRAY = np.array([0.299, 0.587, 0.114], np.float32)
NUMBERS, WHOLE = "fiub", "iub"
"""NumPy's kinds of numbers, and those among them that have no fractions."""


class NotFiniteError(ValueError):
    """Something in the right place is NaN, infinite, or too large for float32."""


@dataclass(frozen=True)
class Leaf:
    """One array inside an observation space: where it is, and how it is read."""

    name: str
    path: tuple[Any, ...]
    space: Space
    spec: ArraySpec
    side: int = 0
    """Images are resized to this many pixels; 0 leaves them."""
    gray: bool = False
    rows: int = 0
    """Images lose what is below so many rows; 0 leaves them."""

    def read(self, native: Any, last: np.ndarray | None = None) -> np.ndarray:
        """The array of this leaf, out of the environment's whole observation.

        What is not finite raises `NotFiniteError`, or comes from `last`: element by element, of a picture as a whole.
        """
        for part in self.path:
            native = native[part]
        array = np.asarray(native)
        if array.shape != self.space.shape:
            raise ValueError(f"has shape {array.shape}, but the space says {self.space.shape}")
        declared = self.space.dtype
        if array.dtype.kind not in (WHOLE if declared is not None and declared.kind in WHOLE else NUMBERS):
            raise ValueError(f"has dtype {array.dtype}, but the space says {declared}")
        if self.spec.kind == "image":
            return self._image(array, last)
        if self.spec.kind == "discrete":
            return self._choices(array)
        return self._numbers(array, last)

    def _numbers(self, array: np.ndarray, last: np.ndarray | None) -> np.ndarray:
        with np.errstate(over="ignore"):
            flat = array.reshape(-1).astype(np.float32)
        finite = np.isfinite(flat)
        if finite.all():
            return flat
        if last is None:
            raise NotFiniteError(f"is not finite: {array.reshape(-1)[~finite][:4].tolist()}")
        return np.where(finite, flat, last)

    def _choices(self, array: np.ndarray) -> np.ndarray:
        flat = array.reshape(-1).astype(np.int64) - np.asarray(getattr(self.space, "start", 0)).reshape(-1)
        if (flat < 0).any() or (flat >= self.spec.classes).any():
            raise ValueError(f"is {array.reshape(-1).tolist()}, outside of {self.space}")
        return flat.astype(np.int32)

    def _image(self, array: np.ndarray, last: np.ndarray | None) -> np.ndarray:
        if array.dtype.kind in WHOLE and (array.min() < 0 or array.max() > 255):
            raise ValueError(f"has pixels from {array.min()} to {array.max()}, outside of 0 to 255")
        if array.dtype != np.uint8 or _unit(self.space):
            with np.errstate(over="ignore"):
                numbers = array.astype(np.float32) * (255 if _unit(self.space) else 1)
            if not np.isfinite(numbers).all():
                if last is None:
                    raise NotFiniteError(f"is not finite: {array[~np.isfinite(numbers)][:4].tolist()}")
                return last
            array = np.clip(np.rint(numbers), 0, 255).astype(np.uint8)
        picture = np.ascontiguousarray(channels_last(array)[: self.rows or None])
        if self.side and picture.shape[:2] != (self.side, self.side):
            picture = resize(picture, self.side)
        if self.gray:
            picture = np.rint(picture @ GRAY).astype(np.uint8)[..., None]
        return picture


def leaves(space: Space, path: tuple[Any, ...] = ()) -> Iterator[Leaf]:
    """Every array of a space, in the space's own order."""
    for part, inner in _parts(space):
        yield from leaves(inner, (*path, part))
    if not _parts(space) and not _why_dropped(space):
        name = "/".join(str(part) for part in path) or "observation"
        if not name.isprintable():
            raise UserError(
                f"An observation is called {name!r}, and files are to hold it: use letters that can be printed."
            )
        yield Leaf(name, path, space, _observation_spec(name, space))


def dropped(space: Space, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, str]]:
    """What cannot be learned from, and why."""
    for part, inner in _parts(space):
        yield from dropped(inner, (*path, part))
    if not _parts(space) and _why_dropped(space):
        yield "/".join(str(part) for part in path) or "observation", _why_dropped(space)


def _parts(space: Space) -> list[tuple[Any, Space]]:
    if isinstance(space, gymnasium.spaces.Dict):
        return list(space.spaces.items())
    if isinstance(space, gymnasium.spaces.Tuple):
        return list(enumerate(space.spaces))
    return []


def _why_dropped(space: Space) -> str:
    if space.dtype is not None and np.dtype(space.dtype).kind == "U":
        return "text"
    return "empty" if space.shape is not None and 0 in space.shape else ""


def _observation_spec(name: str, space: Space) -> ArraySpec:
    if isinstance(space, gymnasium.spaces.Box | gymnasium.spaces.MultiBinary) and _is_image(space):
        return ArraySpec("image", channels_last(np.empty(space.shape, np.uint8)).shape)
    if isinstance(space, gymnasium.spaces.Box) and space.dtype != np.bool_:
        return ArraySpec("vector", (int(np.prod(space.shape)),))
    classes = choices(space)
    if classes is None:
        raise UserError(
            f"Observation {name!r} has a space of no fixed size: {space}. "
            "Needed: Box, Discrete, MultiDiscrete, MultiBinary, or Dict and Tuple of them. Wrap the environment."
        )
    return ArraySpec("discrete", (len(classes),), classes)


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


def choices(space: Space) -> tuple[int, ...] | None:
    """How many values each element of a space of choices can take; None if it is no such space."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, gymnasium.spaces.MultiDiscrete):
        return tuple(int(n) for n in space.nvec.reshape(-1))
    if isinstance(space, gymnasium.spaces.MultiBinary | gymnasium.spaces.Box):
        return (2,) * int(np.prod(space.shape))
    return None


def _is_image(space: gymnasium.spaces.Box | gymnasium.spaces.MultiBinary) -> bool:
    if len(space.shape) >= 3 and _unit(space):
        return True
    if isinstance(space, gymnasium.spaces.MultiBinary) or len(space.shape) < 2:
        return False
    pixels = bool((space.low == 0).all() and (space.high == 255).all())
    return pixels and (space.dtype == np.uint8 or len(space.shape) >= 3)


def _unit(space: Space) -> bool:
    """Whether every element lies between 0 and 1."""
    if isinstance(space, gymnasium.spaces.Box):
        return space.dtype == np.bool_ or bool((space.low == 0).all() and (space.high == 1).all())
    return isinstance(space, gymnasium.spaces.MultiBinary)


def shown(leaf: Leaf, side: int, gray: bool, rows: int = 0) -> Leaf:
    if leaf.spec.kind != "image":
        return leaf
    height, width, channels = leaf.spec.shape
    height = min(rows or height, height)
    side = side if side and max(height, width) > side and not _planes(leaf.space) else 0
    gray = gray and channels == 3
    shape = (side or height, side or width, 1 if gray else channels)
    return replace(leaf, spec=ArraySpec("image", shape), side=side, gray=gray, rows=rows)


def _planes(space: Space) -> bool:
    """Whether an image is made of yes-or-no cells, which blur would destroy."""
    return isinstance(space, gymnasium.spaces.MultiBinary) or space.dtype == np.bool_


def labelled(leaf: Leaf, labels: dict[str, tuple[str, ...]]) -> Leaf:
    names = labels.get(leaf.name, ())
    if leaf.spec.kind == "vector" and len(names) == leaf.spec.shape[0]:
        return replace(leaf, spec=replace(leaf.spec, labels=names))
    return leaf
