"""One full update of DreamerV3 (world model, actor, critic, optimiser) of the paper's shape: batch 16 x 64, horizon 15.

On random data; both on one device and with the batch shared out over all of them, as training does. `first` is the
first call: tracing and compiling (without the persistent cache) and one update.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.random as jr
import numpy as np

from benchmarks.measure import interleave
from reverie.methods.dreamer3 import SIZES, Config, initialise, update
from reverie.run import devices
from reverie.run.dispatch import dispatch
from reverie.run.experience import Stack
from reverie.types import ArraySpec, Sequence, Spaces

OBSERVATIONS = {"vector": ArraySpec("vector", (8,)), "image": ArraySpec("image", (64, 64, 3))}
ACTION = ArraySpec("discrete", (1,), (6,))


def spaces(observation: str) -> Spaces:
    """A world of one observation."""
    return Spaces({observation: OBSERVATIONS[observation]}, ACTION)


def stack(spaces: Spaces, config: Any, latents: Mapping[str, tuple[tuple[int, ...], str]]) -> Stack:
    """One batch of random rows, with blank latents of their context."""
    random, shape = np.random.default_rng(0), (1, config.batch, config.length + 1)
    seen = {name: _random(random, spec, shape) for name, spec in spaces.observation.items()}
    never, is_first = np.zeros(shape, bool), np.zeros(shape, bool)
    is_first[..., 0] = True
    reward = random.normal(size=shape).astype(np.float32)
    rows = Sequence(seen, _random(random, spaces.action, shape), reward, never, never, is_first)
    context = {name: np.zeros((1, config.batch, *each), dtype) for name, (each, dtype) in latents.items()}
    return Stack(rows, context)


def _random(random: np.random.Generator, spec: ArraySpec, shape: tuple[int, ...]) -> np.ndarray:
    """Pixels, numbers or choices."""
    low, high = {"image": (0, 256), "discrete": (0, min(spec.classes or (2,)))}.get(spec.kind, (-2, 2))
    if spec.kind == "continuous":
        return random.uniform(-1, 1, (*shape, *spec.shape)).astype(spec.dtype)
    return random.integers(low, high, (*shape, *spec.shape)).astype(spec.dtype)


class Updating:
    """A learner that each call moves by one update."""

    def __init__(self, update: Any, config: Any, learner: Any, batch: Stack) -> None:
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
    batch = stack(spaces(observation), config, learner().model.world.latents)
    places = {"one device": (lambda tree: jax.device_put(tree, jax.devices()[0]),) * 2}
    if len(jax.devices()) > 1:
        both = f"{len(jax.devices())} devices"
        places[both] = (devices.copy, partial(devices.spread, batch=config.batch))
    learners = {
        name: Updating(update, config, copy(learner()), spread(batch)) for name, (copy, spread) in places.items()
    }
    return interleave(learners, repetitions)
