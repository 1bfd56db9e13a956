"""Time, and what flows through it.

    row t of a Sequence:   o_t   a_t   r_t   terminated_t   truncated_t   is_first_t
                            |     |     ^ reward and flags met on ARRIVING at o_t; a first row: r = 0, is_first = True
                            |     +-> the action chosen after seeing o_t, leading to row t + 1
    filter:            s_t = observe(s_{t-1}, a_{t-1}, o_t)          predict:  s_{t+1} = imagine(s_t, a_t)
    imagined rollout:  s_0 --a_0--> s_1 --a_1--> s_2 ... s_H     r_1 ... r_H,  v_1 ... v_H,  R_0 ... R_{H-1}

An episode of n actions has n + 1 rows. The last row has terminated or truncated set (`is_last`); its action is zero,
leads nowhere and is never executed; the row after it, if any, is the first of the next episode. `terminated` means that
the world ended: after it nothing is worth anything. `truncated` means that somebody stopped watching.

Observations are always a flat dict of named arrays, described by `ArraySpec`; actions are one array. This module and
everything that an environment worker imports is free of jax.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

Array = Any  # a numpy or a jax array: rows are made of either


class Step(NamedTuple):
    """A row as an environment gives it: everything but the action. Batched over environments by `envs.pool`."""

    observation: dict[str, Array]
    """One array per name, shaped and typed as its `ArraySpec` says."""
    reward: Array
    """float32; met on arriving at this observation; 0 where is_first."""
    terminated: Array
    """bool; the world ended here."""
    truncated: Array
    """bool; the episode was cut here (time limit, dead worker)."""
    is_first: Array
    """bool; the observation comes from a reset."""


class Sequence(NamedTuple):
    """Rows with their actions, time (or batch, time) leading. See the drawing above."""

    observation: dict[str, Array]
    action: Array
    reward: Array
    terminated: Array
    truncated: Array
    is_first: Array

    @property
    def is_last(self) -> Array:
        """bool; the episode has no further row."""
        return self.terminated | self.truncated


@dataclass(frozen=True)
class ArraySpec:
    """One named array of an observation, or the action.

    kind        shape       dtype     meaning
    image       (h, w, c)   uint8     pixels
    vector      (n,)        float32   numbers of any size
    discrete    (k,)        int32     k choices, element i one of `classes[i]`
    continuous  (n,)        float32   an action, each element meant to lie in [-1, 1]
    """

    kind: str
    shape: tuple[int, ...]
    classes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    """What the elements (vector) or the choices (an action of one element) are called, where the environment says."""

    def __post_init__(self) -> None:
        ranks = {"image": 3, "vector": 1, "discrete": 1, "continuous": 1}
        if self.kind not in ranks:
            raise ValueError(f"ArraySpec.kind must be one of {sorted(ranks)}, got {self.kind!r}")
        if len(self.shape) != ranks[self.kind]:
            raise ValueError(f"ArraySpec: kind {self.kind!r} needs {ranks[self.kind]} axes, got shape {self.shape}")
        if (self.kind == "discrete") != (len(self.classes) == self.shape[0] and bool(self.classes)):
            raise ValueError(
                f"ArraySpec: kind {self.kind!r} with shape {self.shape} cannot have classes {self.classes}"
            )

    @property
    def dtype(self) -> str:
        return {"image": "uint8", "vector": "float32", "discrete": "int32", "continuous": "float32"}[self.kind]

    @property
    def width(self) -> int:
        """Elements of the flat vector that a network receives: one-hot for choices."""
        if self.kind == "discrete":
            return sum(self.classes)
        size = 1
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class Spaces:
    """What a world shows and what can be done in it; every size that a model takes from its environment."""

    observation: dict[str, ArraySpec]
    action: ArraySpec
