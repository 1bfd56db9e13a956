"""Dreamt steps per second of the paper's two worlds, beside what the machine could do and the worlds themselves.

A dream's step is two products with M's matrices; noise, mixture and C add little. `limit` is how many steps per second
the machine makes of such products alone, one after the other in one compiled call. Dreams here never end, so that every
step counts. The worlds are left out where they are not installed.
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from benchmarks.measure import interleave
from reverie.behaviours.controlled import ControlledPolicy
from reverie.behaviours.controller import obeyed_in
from reverie.behaviours.dreamed import dreamed_returns
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.methods import vmc
from reverie.types import ArraySpec, Spaces

PICTURE = {"image": ArraySpec("image", (64, 64, 3))}
WORLDS = {
    "VizdoomTakeCover-v1": ("vizdoom", Spaces(PICTURE, ArraySpec("discrete", (1,), (3,)))),
    "CarRacing-v3": ("Box2D", Spaces(PICTURE, ArraySpec("continuous", (3,)))),
}
BATCHES, STEPS, PLAYED = (64, 256, 1024), 100, 100


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    """`sizes` are of other methods: World Models has the paper's."""
    return {name: _world(name, *about, repetitions) for name, about in WORLDS.items()}


def _world(name: str, package: str, spaces: Spaces, repetitions: int) -> dict[str, Any]:
    config = vmc.Config(dream=name.startswith("Vizdoom"))
    model = vmc.build(spaces, config, environment=name, key=jr.key(0))
    policy = ControlledPolicy(model.world, model.controller, obeyed_in(name, spaces.action))
    if config.dream:
        policy = eqx.tree_at(lambda it: it.world.memory.head.bias, policy, replace_fn=lambda bias: bias.at[0].set(-1e3))
    weights = [leaf for leaf in jax.tree.leaves(model.world.memory) if leaf.ndim == 2]
    products = 2 * (sum(weight.size for weight in weights) + model.controller.parameters.size)
    candidates: dict[str, Callable[[], Any]] = {}
    for batch in BATCHES:
        candidates[f"dreams {batch}"] = partial(_dreams, policy, batch)
        candidates[f"limit {batch}"] = partial(
            _products, weights, jnp.ones((batch, max(it.shape[1] for it in weights)))
        )
    steps = dict.fromkeys(candidates, 0) | {label: int(label.split()[1]) * STEPS for label in candidates}
    if importlib.util.find_spec(package):
        candidates["world"], steps["world"] = _played(name), PLAYED
    times = interleave(candidates, repetitions)
    rates = {f"{label}, steps/s": steps[label] / time["seconds"] for label, time in times.items()}
    return {"operations per step": products, **rates}


def _dreams(policy: ControlledPolicy, batch: int) -> Any:
    first = jnp.zeros((1, 2 * policy.world.vision.mean.bias.size))
    parameters = jnp.zeros((batch, policy.controller.parameters.size))
    return dreamed_returns(policy, parameters, first, limit=STEPS, keys=jr.split(jr.key(0), batch))


@jax.jit
def _products(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    """As many products as so many steps take, each waiting for the one before."""

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        outs = [x[:, : weight.shape[1]] @ weight.T for weight in weights]
        return x + 1e-9 * sum(out.sum() for out in outs), None

    return jax.lax.scan(step, x, length=STEPS)[0]


def _played(name: str) -> Callable[[], None]:
    world = make(name, vmc.options(name, EnvironmentConfig(), vmc.Config()))
    world.reset(0)
    random = np.random.default_rng(0)
    spec = world.spaces.action

    def play() -> None:
        for _ in range(PLAYED):
            action = random.integers(3, size=1) if spec.kind == "discrete" else random.uniform(-1, 1, 3)
            step = world.step(np.asarray(action, spec.dtype))
            if step.terminated or step.truncated:
                world.reset(0)

    return play
