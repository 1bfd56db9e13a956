"""Rows that say which row they are, for tests of what stores and draws them."""

import numpy as np

from reverie.data.replay import Batch, Replay
from reverie.types import ArraySpec, Spaces, Step

SPACES = Spaces(
    {"pixels": ArraySpec("image", (2, 2, 1)), "state": ArraySpec("vector", (3,))}, ArraySpec("discrete", (1,), (5,))
)
LATENTS = {"deter": ((4,), "bfloat16"), "stoch": ((2,), "uint8")}
STREAMS, LENGTH, EPISODE = 2, 4, 7


def empty(capacity: int = 1000, seed: int = 0, *, online: bool = True) -> Replay:
    return Replay(SPACES, LATENTS, streams=STREAMS, length=LENGTH, capacity=capacity, seed=seed, online=online)


def latents(numbers: np.ndarray) -> dict[str, np.ndarray]:
    """Latents that say which row they are of."""
    deter = np.broadcast_to(numbers[..., None] % 128, (*numbers.shape, 4)).astype("bfloat16")
    return {"deter": deter, "stoch": np.stack([numbers % 256, numbers // 256], -1).astype(np.uint8)}


def fill(replay: Replay, times: range, present: np.ndarray | None = None) -> Replay:
    """Row `time` of stream s shows the number time * STREAMS + s everywhere; episodes of EPISODE rows."""
    for time in times:
        number = time * STREAMS + np.arange(STREAMS)
        observation = {
            "pixels": np.broadcast_to(number[:, None, None, None] % 256, (STREAMS, 2, 2, 1)).astype(np.uint8),
            "state": np.broadcast_to(number[:, None], (STREAMS, 3)).astype(np.float32),
        }
        last, first = time % EPISODE == EPISODE - 1, time % EPISODE == 0
        flags = (np.full(STREAMS, value) for value in (last, False, first))
        step = Step(observation, number.astype(np.float32), *flags)
        replay.add(step, (number % 5).astype(np.int32)[:, None], latents(number), present)
    return replay


def same(one: Batch, other: Batch) -> bool:
    pairs = zip(flat(one), flat(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def flat(batch: Batch) -> list[np.ndarray]:
    return [batch.ids, *batch.sequence.observation.values(), *batch.sequence[1:]]
