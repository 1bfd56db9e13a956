"""The replay as a model sees it: every row encoded once, in lanes that a recurrent network goes along.

Streams are laid end to end and cut into lanes of one length; what does not fill them is left out. A lane begins like an
episode, and so does what follows a gap: `is_first` is true there, although nothing was reset.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from reverie.data.replay import Replay
from reverie.maths.distributions import action_vector
from reverie.types import ArraySpec, Sequence

BATCH = 256
"""Rows that are encoded at once."""
STARTS = 1000
"""First rows that dreams begin with, at most (the authors')."""


class Frames(NamedTuple):
    """Single pictures."""

    pixels: Any
    """uint8 [*batch, height, width, channel]."""


class Rows(NamedTuple):
    """Rows [lane, time, ...], or a part of them."""

    encoded: Any
    """Float [*batch, embed]; in half precision as a whole."""
    previous: Any
    """Float [*batch, action]: the action that led there, as a vector; 0 where is_first."""
    is_first: Any
    """Bool [*batch]."""
    terminated: Any
    """Bool [*batch]."""
    reward: Any
    """Float [*batch]."""

    def window(self, number: int, length: int) -> "Rows":
        """Window `number` of every lane, again from the first after the last, in full precision."""
        place = number % (self.is_first.shape[1] // length) * length
        part = Rows(*(leaf[:, place : place + length] for leaf in self))
        return part._replace(encoded=np.asarray(part.encoded, np.float32))


Encode = Callable[[dict[str, Any]], Float[Array, "embed"]]
"""Of one observation."""


def rows_in_lanes(encode: Encode, replay: Replay, spec: ArraySpec, lanes: int) -> Rows:
    """All rows of a replay.

    Args:
        encode: a model's.
        replay: of which nothing is changed.
        spec: of actions.
        lanes: how many; ValueError if there are more than rows.
    """
    times = [replay.times(stream) for stream in range(replay.streams)]
    streams = [_stream(encode, replay, spec, ids) for ids in times if len(ids)]
    length = sum(map(len, times)) // lanes
    if not length:
        raise ValueError(f"rows_in_lanes: {sum(map(len, times))} rows are too few for {lanes} lanes")
    whole = Rows(*(np.concatenate(leaves) for leaves in zip(*streams, strict=True)))
    rows = Rows(*(leaf[: lanes * length].reshape(lanes, length, *leaf.shape[1:]) for leaf in whole))
    rows.is_first[:, 0] = True
    rows.previous[rows.is_first] = 0
    return rows


def first_rows(encode: Encode, replay: Replay, most: int = STARTS) -> Float[Array, "batch embed"]:
    """Encoded rows that begin episodes, in order of their numbers; the first `most` of them.

    Where all of those are lost, the first rows that are there.
    """
    found: list[np.ndarray] = []
    every = np.sort(np.concatenate([replay.times(stream) for stream in range(replay.streams)]))
    for ids in _pieces(every):
        rows = replay.rows(ids)
        firsts = jax.tree.map(lambda leaf, kept=rows.is_first: leaf[kept], rows.observation)
        found += [_encoded(encode, firsts)] if rows.is_first.any() else []
        if sum(map(len, found)) >= most:
            break
    found = found or [_encoded(encode, replay.rows(every[: replay.streams]).observation)]
    return jnp.asarray(np.concatenate(found)[:most])


def _stream(encode: Encode, replay: Replay, spec: ArraySpec, ids: np.ndarray) -> Rows:
    """The rows of one stream [time, ...]."""
    embeds, parts = [], list[Sequence]()
    for piece in _pieces(ids):
        rows = replay.rows(piece)
        embeds.append(_encoded(encode, rows.observation).astype(np.float16))
        parts.append(rows._replace(observation={}))
    whole = Sequence({}, *(np.concatenate(leaves) for leaves in zip(*(part[1:] for part in parts), strict=True)))
    taken = np.asarray(jax.vmap(lambda action: action_vector(spec, action))(whole.action))
    previous = np.concatenate([np.zeros_like(taken[:1]), taken[:-1]])
    cut = np.diff(ids, prepend=ids[0] - replay.streams) != replay.streams
    return Rows(np.concatenate(embeds), previous, whole.is_first | cut, whole.terminated, whole.reward)


def _pieces(ids: np.ndarray) -> list[np.ndarray]:
    return [ids[begin : begin + BATCH] for begin in range(0, len(ids), BATCH)]


def _encoded(encode: Encode, observation: dict[str, Any]) -> np.ndarray:
    """In batches of one size, so that one program does for all."""
    count = len(next(iter(observation.values())))
    padding = {name: np.zeros((BATCH - count, *part.shape[1:]), part.dtype) for name, part in observation.items()}
    full = {name: np.concatenate([part, padding[name]]) for name, part in observation.items()}
    return np.asarray(_encode(encode, full))[:count]


@eqx.filter_jit
def _encode(encode, observation):
    return jax.vmap(encode)(observation)
