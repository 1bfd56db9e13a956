"""One full update of DreamerV3 (world model, actor, critic, optimiser) of the paper's shape: batch 16 x 64, horizon 15.

On random data; both on one device and with the batch shared out over all of them, as training does. `first` is the
first call: tracing and compiling (without the persistent cache) and one update.
"""

from functools import partial
from typing import Any

import jax
import jax.random as jr
import numpy as np

from benchmarks.measure import interleave
from reverie.methods.dreamer3 import SIZES, Config, Learner, initialise, update
from reverie.run import devices
from reverie.run.dispatch import dispatch
from reverie.run.experience import Stack
from reverie.types import ArraySpec, Sequence, Spaces

OBSERVATIONS = {"vector": ArraySpec("vector", (8,)), "image": ArraySpec("image", (64, 64, 3))}
ACTION = ArraySpec("discrete", (1,), (6,))


def spaces(observation: str) -> Spaces:
    """A world of one observation."""
    return Spaces({observation: OBSERVATIONS[observation]}, ACTION)


def stack(observation: str, config: Config) -> Stack:
    """One batch of random rows with the latents of their context."""
    random, shape = np.random.default_rng(0), (1, config.batch, config.length + 1)
    spec = OBSERVATIONS[observation]
    low, high = (0, 256) if spec.kind == "image" else (-2, 2)
    seen = random.integers(low, high, (*shape, *spec.shape)).astype(spec.dtype)
    never, is_first = np.zeros(shape, bool), np.zeros(shape, bool)
    is_first[..., 0] = True
    action = random.integers(0, 6, (*shape, 1)).astype(np.int32)
    reward = random.normal(size=shape).astype(np.float32)
    rows = Sequence({observation: seen}, action, reward, never, never, is_first)
    rssm, lead = config.rssm, (1, config.batch)
    context = {"deter": np.zeros((*lead, rssm.deter), np.float32), "stoch": np.zeros((*lead, rssm.stoch), np.uint8)}
    return Stack(rows, context)


class Updating:
    """A learner that each call moves by one update."""

    def __init__(self, config: Config, learner: Learner, batch: Stack) -> None:
        self.learner = learner
        self._settings = (update, config, batch)

    def __call__(self) -> Any:
        self.learner, outcome = dispatch(self._settings, self.learner, np.int32(0))
        return self.learner, outcome


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    jax.config.update("jax_enable_compilation_cache", False)
    return {f"{size} {seen}": _measure(SIZES[size], seen, repetitions) for size in sizes for seen in OBSERVATIONS}


def _measure(config: Config, observation: str, repetitions: int) -> dict[str, Any]:
    learner = partial(initialise, spaces(observation), config, key=jr.key(0))
    batch = stack(observation, config)
    places = {"one device": (lambda tree: jax.device_put(tree, jax.devices()[0]),) * 2}
    if len(jax.devices()) > 1:
        both = f"{len(jax.devices())} devices"
        places[both] = (devices.copy, partial(devices.spread, batch=config.batch))
    learners = {name: Updating(config, copy(learner()), spread(batch)) for name, (copy, spread) in places.items()}
    return interleave(learners, repetitions)
