"""The only two scans of a world model over time: along what was seen, and along what is imagined.

    filter     s_t = observe(s_{t-1}, a_{t-1}, o_t)        memory and previous action are forgotten where is_first_t
    rollout    s_{t+1} = imagine(s_t, a_t)                 along given actions, or along those that a policy chooses

One sequence at a time; `jax.vmap` adds the batch. Actions are vectors (`maths.distributions.action_vector`); the
drawing of time is in `types`. No learned initial state: a state that is reset is the model's `initial()`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from reverie.protocol import AbstractWorldModel

Choose = Callable[[Any, PRNGKeyArray], tuple[Any, Float[Array, "action"]]]
"""From a state, the action in the form its environment takes, and the same as a vector."""


def reset(model: AbstractWorldModel, state: Any, is_first: Bool[Array, ""]) -> Any:
    """The state to filter from: `initial()` where an episode begins, else the one given."""
    return jax.tree.map(lambda fresh, kept: jnp.where(is_first, fresh, kept), model.initial(), state)


def filter_step(
    model: AbstractWorldModel,
    state: Any,
    previous_action: Float[Array, "action"],
    encoded: Float[Array, "embed"],
    is_first: Bool[Array, ""],
    *,
    key: PRNGKeyArray,
) -> Any:
    """One step of `filter`; a policy that acts takes exactly this step."""
    state = reset(model, state, is_first)
    previous_action = jnp.where(is_first, 0.0, previous_action)
    return model.observe(state, previous_action, encoded, key=key)


def filter(
    model: AbstractWorldModel,
    state: Any,
    previous_action: Float[Array, "time action"],
    encoded: Float[Array, "time embed"],
    is_first: Bool[Array, "time"],
    *,
    key: PRNGKeyArray,
) -> Any:
    """States s_1 ... s_T from s_0 = `state`; row t of each input belongs to s_t, its action led there."""

    def step(state, row):
        action, embed, first, key = row
        state = filter_step(model, state, action, embed, first, key=key)
        return state, state

    keys = jr.split(key, len(is_first))
    return jax.lax.scan(step, state, (previous_action, encoded, is_first, keys))[1]


def rollout(model: AbstractWorldModel, state: Any, plan: Float[Array, "horizon action"], *, key: PRNGKeyArray) -> Any:
    """States s_1 ... s_H imagined from s_0 = `state` along a plan a_0 ... a_{H-1}."""
    return _imagine(model, state, lambda state, row: (None, row[0]), (plan, jr.split(key, len(plan))))[0]


def rollout_policy(
    model: AbstractWorldModel, state: Any, choose: Choose, horizon: int, *, key: PRNGKeyArray
) -> tuple[Any, Any]:
    """States s_1 ... s_H and the actions a_0 ... a_{H-1} that `choose` took at s_0 ... s_{H-1}."""
    action_key, key = jr.split(key)
    rows = (jr.split(action_key, horizon), jr.split(key, horizon))
    return _imagine(model, state, lambda state, row: choose(state, row[0]), rows)


def _imagine(model: AbstractWorldModel, state: Any, choose: Callable, rows: tuple) -> tuple[Any, Any]:
    def step(state, row):
        action, vector = choose(state, row)
        state = model.imagine(state, vector, key=row[-1])
        return state, (state, action)

    return jax.lax.scan(step, state, rows)[1]


def over_time(function: Callable) -> Callable:
    """A function of one example, over [batch, time]."""
    return jax.vmap(jax.vmap(function))
