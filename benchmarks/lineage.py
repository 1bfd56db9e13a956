"""One full update of each method before DreamerV3, at the sizes of its paper: what a laptop needs for what they did.

PlaNet and Dreamer as for the DeepMind Control Suite from pixels (six torques), DreamerV2 as for Atari (grey pictures,
18 buttons). Random data, one device. `first` is the first call: tracing, compiling and one update.
"""

from typing import Any

import jax
import jax.random as jr

from benchmarks.measure import interleave
from benchmarks.update import Updating, stack
from reverie.methods import dreamer1, dreamer2, planet
from reverie.types import ArraySpec, Spaces

CONTROL = Spaces({"image": ArraySpec("image", (64, 64, 3))}, ArraySpec("continuous", (6,)))
ATARI = Spaces({"image": ArraySpec("image", (64, 64, 1))}, ArraySpec("discrete", (1,), (18,)))
PAPERS = {"planet": (planet, CONTROL), "dreamer1": (dreamer1, CONTROL), "dreamer2": (dreamer2, ATARI)}


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    """`sizes` are of DreamerV3: these have one each."""
    jax.config.update("jax_enable_compilation_cache", False)
    return {name: _measure(*about, repetitions) for name, about in PAPERS.items()}


def _measure(method: Any, spaces: Spaces, repetitions: int) -> dict[str, Any]:
    config = method.SIZES["paper"]
    learner = method.initialise(spaces, config, key=jr.key(0))
    updating = Updating(method.update, config, learner, stack(spaces, config, {}))
    about = {"batch": config.batch, "length": config.length, "parameters": method.parameters(spaces, config)}
    return about | interleave({"update": updating}, repetitions)
