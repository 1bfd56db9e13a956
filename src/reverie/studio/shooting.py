"""Planning by random shooting: imagine many plans, take the first action of the one that is worth most.

    score of a plan = sum over t of (c_1 ... c_{t-1}) r_t          c: the probability that the world goes on

Actions are held for `HELD` steps: of single steps that are drawn anew each time, no plan goes anywhere. No learned
policy is asked. Elsewhere: policies that were learned (`actor_critic`, `controller`).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import action_vector
from reverie.protocol import AbstractWorldModel
from reverie.rollout import rollout
from reverie.types import ArraySpec

HELD = 3


def shoot(
    model: AbstractWorldModel,
    reward: Callable[[Any], Float[Array, ""]],
    goes_on: Callable[[Any], Float[Array, ""]],
    state: Any,
    spec: ArraySpec,
    *,
    key: PRNGKeyArray,
    candidates: int = 64,
    horizon: int = 12,
) -> Array:
    """The action to take at a state, as `spec` says.

    Args:
        model: that imagines.
        reward: of a state.
        goes_on: of a state, the probability that the world does not end with it.
        state: to act at.
        spec: of the action.
        key: of the plans and of what is imagined; all plans meet the same dice.
        candidates: plans.
        horizon: steps of each.
    """
    plan_key, key = jr.split(key)
    plans = _plans(spec, candidates, -(-horizon // HELD), key=plan_key).repeat(HELD, axis=1)[:, :horizon]

    def score(plan: Array) -> Float[Array, ""]:
        vectors = jax.vmap(lambda action: action_vector(spec, action))(plan)
        states = rollout(model, state, vectors, key=key)
        lives = jnp.cumprod(jax.vmap(goes_on)(states))
        alive = jnp.concatenate([jnp.ones(1), lives[:-1]])
        return jnp.sum(alive * jax.vmap(reward)(states))

    return plans[jnp.argmax(jax.vmap(score)(plans)), 0]


def _plans(spec: ArraySpec, candidates: int, length: int, *, key: PRNGKeyArray) -> Array:
    """[candidate, length, *action], drawn evenly."""
    shape = (candidates, length, *spec.shape)
    if spec.kind == "continuous":
        return jr.uniform(key, shape, minval=-1.0, maxval=1.0)
    most = jnp.broadcast_to(jnp.asarray(spec.classes, jnp.int32), shape)
    return jr.randint(key, shape, jnp.zeros_like(most), most)
