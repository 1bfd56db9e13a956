"""Dreams of one agent at several temperatures, side by side: each begins alike, and the agent acts in all of them.

    s_0 = observe(o),  s_{t+1} = imagine(s_t, the agent's action at s_t)              until the model says that it ends

A low temperature makes a dream tidy, and easy to cheat; a high one makes it wild (Ha & Schmidhuber, arXiv 1803.10122,
section 4). Elsewhere: scores of dreams (`behaviours.dreamed`), dreams beside reality (`open_loop_film`).
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from reverie.behaviours.controlled import ControlledPolicy, seen
from reverie.errors import UserError
from reverie.evaluate.film import DREAM, FAINT, Panel, as_rgb, compose, fit
from reverie.evaluate.video import Frames
from reverie.maths.distributions import action_vector
from reverie.models.vision_memory import View
from reverie.protocol import Trained
from reverie.rollout import filter_step, rollout_policy

TEMPERATURES = (0.1, 0.5, 1.0, 1.15, 1.3)
"""The paper's."""
STEPS = 300
"""And frames at most: of longer dreams every second, third, ... step is shown."""
WIDTH = 760
"""Pixels of the whole film, about."""


def dreams_film(
    trained: Trained,
    observation: dict[str, np.ndarray],
    temperatures: Sequence[float] = TEMPERATURES,
    *,
    caption: str,
    steps: int = STEPS,
    seed: int = 0,
) -> Frames:
    """Frames of dreams that begin with an observation; one that has ended stays as it was.

    Raises `UserError` where the model has no temperature, or its agent cannot act on its states.
    """
    policy = trained.policy
    if not isinstance(policy, ControlledPolicy):
        raise UserError("only dreams of vmc have a temperature")
    panels, ends = [], []
    for temperature in temperatures:
        hotter = eqx.tree_at(lambda it: it.world.temperature, policy, jnp.asarray(temperature, jnp.float32))
        views = _dreamt(hotter, observation, steps, jr.key(seed))
        pictures = jax.vmap(trained.heads["decode"])(views)
        over = np.asarray(views.done) > 0
        end = int(over.argmax()) if over.any() else steps
        shown = as_rgb(np.asarray(next(iter(pictures.values()))))[np.minimum(np.arange(steps), end)]
        name = f"temperature {temperature:g}"
        after = [(end, f"{temperature:g}: over at {end + 1}", FAINT)] if end < steps else []
        panels.append(Panel(fit(shown, WIDTH // len(temperatures)), ((0, name, DREAM), *after)))
        ends.append(end)
    last = min(steps, max(ends) + 1)
    every = -(-last // STEPS)
    panels = [Panel(p.frames[:last:every], tuple((-(-t // every), *about) for t, *about in p.titles)) for p in panels]
    return compose(panels, caption=caption, notes=[f"step {time + 1}" for time in range(0, last, every)])


@eqx.filter_jit
def _dreamt(policy: ControlledPolicy, observation: PyTree, steps: int, key: PRNGKeyArray) -> View:
    """States s_1 ... s_n."""
    world, spec = policy.world, policy.obeyed.spec

    def choose(view: View, _: PRNGKeyArray) -> tuple[Array, Array]:
        action = policy.obeyed(policy.controller(seen(view, policy.controller.widths[0])))
        return action, action_vector(spec, action)

    begin_key, key = jr.split(key)
    yes, nothing = jnp.ones((), bool), jnp.zeros(spec.width)
    begun = filter_step(world, world.initial(), nothing, world.encode(observation), yes, key=begin_key)
    return rollout_policy(world, begun, choose, steps, key=key)[0]
