"""Any Gymnasium space as named arrays: what a world shows, and what can be done in it, in the model's terms.

Observations are read leaf by leaf (`envs.leaves`); a space without names is called `observation`. Actions:

    Discrete, MultiDiscrete, MultiBinary    discrete, flat, counted from 0
    Box                                     continuous in [-1, 1], flat, rescaled from its bounds element by element; an
                                            element without finite bounds is passed through
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np

from reverie.envs.leaves import NotFiniteError, choices, dropped, labelled, leaves, shown
from reverie.errors import UserError
from reverie.types import ArraySpec, Spaces

Space = gymnasium.Space[Any]
ENDLESS = 1e30
"""A bound beyond this is none; some environments write the largest float for infinity."""


class Conversion:
    """One environment's own observations and actions, and the model's.

    Args:
        observation: the environment's observation space.
        action: its action space.
        labels: names of elements by observation name; under `action` of its elements, or of its choices.
        side: larger images are resized to this; 0 leaves them.
        gray: colour images lose their colour.
        rows: images lose what is below so many rows from their top; 0 leaves them.
    """

    def __init__(
        self,
        observation: Space,
        action: Space,
        *,
        labels: dict[str, tuple[str, ...]] | None = None,
        side: int = 0,
        gray: bool = False,
        rows: int = 0,
    ) -> None:
        labels = labels or {}
        self.dropped: tuple[str, ...] = tuple(f"{name} ({why})" for name, why in dropped(observation))
        self.leaves = [labelled(shown(leaf, side, gray, rows), labels) for leaf in leaves(observation)]
        self.action_space = action
        specs = {leaf.name: leaf.spec for leaf in self.leaves}
        if len(specs) != len(self.leaves):
            raise UserError(f"Two parts of the observation space have the same name: {observation}. Rename one.")
        if not specs:
            raise UserError(f"Nothing in the observation space can be learned from: {observation}.")
        spec = _action_spec(action)
        names = labels.get("action", ())
        named = (
            spec.shape if spec.kind == "continuous" else spec.classes
        )  # its elements, or the choices of its only one
        if names and named == (len(names),):
            spec = replace(spec, labels=names)
        self.spaces = Spaces(observation=specs, action=spec)

    def observe(self, native: Any, last: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The named arrays of one observation, with what is not finite taken from `last`.

        Raises ValueError that names the part and its fault: `NotFiniteError` where there is no `last`.
        """
        arrays = {}
        for leaf in self.leaves:
            try:
                arrays[leaf.name] = leaf.read(native, last[leaf.name] if last else None)
            except NotFiniteError as error:
                raise NotFiniteError(f"observation {leaf.name!r} {error}") from error
            except (KeyError, IndexError) as error:
                raise ValueError(f"observation {leaf.name!r} is missing") from error
            except (ValueError, TypeError) as error:
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


def _action_spec(space: Space) -> ArraySpec:
    if isinstance(space, gymnasium.spaces.Box) and space.dtype != np.bool_ and 0 not in space.shape:
        return ArraySpec("continuous", (int(np.prod(space.shape)),))
    classes = choices(space)
    if not classes:
        raise UserError(
            f"The action space is {space}. Needed: Discrete, MultiDiscrete, MultiBinary or Box. Wrap the environment."
        )
    return ArraySpec("discrete", (len(classes),), classes)


def _bounds(space: Space) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = space.low.reshape(-1).astype(np.float64), space.high.reshape(-1).astype(np.float64)
    known = (np.abs(low) < ENDLESS) & (np.abs(high) < ENDLESS)
    return np.where(known, low, -1.0), np.where(known, high, 1.0)
