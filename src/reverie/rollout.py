"""The only scans of a world model over time: along what was seen, along what is imagined, and until a dream ends.

    filter     s_t = observe(s_{t-1}, a_{t-1}, o_t)        memory and previous action are forgotten where is_first_t
    rollout    s_{t+1} = imagine(s_t, a_t)                 along given actions, or along those that a policy chooses
    foresee    the same along a plan, of which only what is read of each state is kept, and the last state
    returns    the same, for many dreams of unknown length of which only the sum of rewards is wanted

One sequence at a time, `returns` excepted; `jax.vmap` adds the batch. Actions are vectors
(`maths.distributions.action_vector`); the drawing of time is in `types`. No learned initial state: a state that is
reset is the model's `initial()`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray

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


def foresee(
    model: AbstractWorldModel,
    state: Any,
    plan: Float[Array, "horizon action"],
    read: Callable[[Any], Any],
    *,
    key: PRNGKeyArray,
) -> tuple[Any, Any]:
    """The state s_H of `rollout`, and what `read` makes of s_1 ... s_H: for many long plans, states take room."""

    def step(state, row):
        state = model.imagine(state, row[0], key=row[1])
        return state, read(state)

    return jax.lax.scan(step, state, (plan, jr.split(key, len(plan))))


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


SMALLEST = 128
"""Dreams below which it does not pay to make the batch smaller."""


def returns(
    model: AbstractWorldModel,
    states: Any,
    policies: Any,
    choose: Callable[[Any, Any], Float[Array, "action"]],
    outcome: Callable[[Any], tuple[Float[Array, ""], Bool[Array, ""]]],
    horizon: int,
    *,
    keys: Key[Array, "start"],
) -> tuple[Float[Array, "start"], Int[Array, "start"]]:
    """Sums of rewards, and lengths, of dreams that go on until each ends, or for `horizon` steps.

    A dream that has ended costs as much as one that goes on, as long as it is in the batch: whenever half of them have
    ended, the others go on in a batch of half the size. What each dreams is a function of its own key alone.

    Args:
        model: that imagines.
        states: s_0 of each [start, ...].
        policies: what acts in each [start, ...].
        choose: from one policy and a state, the action as a vector.
        outcome: from a state, the reward met on arriving there, and whether the dream ends with it.
        horizon: steps after which a dream is cut.
        keys: one for each [start].
    """
    count = len(keys)
    size, alive = count, jnp.ones(count, bool)
    now, who, totals, lengths = (
        jnp.zeros((), jnp.int32),
        jnp.arange(count),
        jnp.zeros(count),
        jnp.zeros(count, jnp.int32),
    )

    def step(carry):
        now, alive, states, totals, lengths, (who, policies, keys) = carry

        def one(state, policy, key):
            state = model.imagine(state, choose(policy, state), key=jr.fold_in(key, now))
            return state, outcome(state)

        states, (reward, ends) = jax.vmap(one)(states, policies, keys)
        totals = totals.at[who].add(jnp.where(alive, reward, 0.0))
        lengths = lengths.at[who].add(alive.astype(jnp.int32))
        return now + 1, alive & ~ends, states, totals, lengths, (who, policies, keys)

    fixed = (who, policies, keys)
    while True:
        half = (size + 1) // 2 if size > SMALLEST else 0
        going = partial(_more_than, half, horizon)
        now, alive, states, totals, lengths, fixed = jax.lax.while_loop(
            going, step, (now, alive, states, totals, lengths, fixed)
        )
        if not half:
            return totals, lengths
        first = jnp.argsort(~alive)[:half]  # those alive are at most that many, or time is over
        alive, states, fixed = jax.tree.map(partial(jnp.take, indices=first, axis=0), (alive, states, fixed))
        size = half


def _more_than(count: int, horizon: int, carry: tuple) -> Bool[Array, ""]:
    now, alive, *_ = carry
    return (now < horizon) & (jnp.sum(alive) > count)


def over_time(function: Callable) -> Callable:
    """A function of one example, over [batch, time]."""
    return jax.vmap(jax.vmap(function))
