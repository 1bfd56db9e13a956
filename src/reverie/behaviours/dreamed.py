"""What controllers score in dreams of M: a whole generation of an evolution in one compiled call.

Ha & Schmidhuber, arXiv 1803.10122, section 4: a dream begins with a stored first frame, z_0 ~ q(z | x_0), and an empty
memory; every step is worth 1 (or what M expects of it, where it predicts rewards), and the dream ends where M says so
(logit above 0), or after `limit` steps. V is not used.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray

from reverie.behaviours.controlled import ControlledPolicy, seen
from reverie.maths.distributions import action_vector
from reverie.models.vae import sample
from reverie.models.vision_memory import View
from reverie.rollout import returns

LONGEST = 2100
"""Steps of a dream of a world that has no limit itself: the paper's for Doom."""


@eqx.filter_jit
def dreamed_returns(
    policy: ControlledPolicy,
    parameters: Float[Array, "start parameter"],
    first: Float[Array, "batch embed"],
    *,
    limit: int,
    keys: Key[Array, "start"],
) -> tuple[Float[Array, "start"], Int[Array, "start"]]:
    """The sum of rewards, and the length, of one dream for each of these controllers.

    Args:
        policy: of which the controller's parameters are replaced.
        parameters: of the controllers.
        first: what V makes of first frames; each dream begins with one that its key chooses.
        limit: steps after which a dream is cut.
        keys: one for each dream; controllers with the same key meet the same dice.
    """
    world = policy.world

    def begin(key: PRNGKeyArray) -> View:
        which_key, key = jr.split(key)
        mean, log_variance = jnp.split(first[jr.randint(which_key, (), 0, len(first))], 2)
        nothing, yes = world.initial(), jnp.ones((), bool)
        z = sample(mean, log_variance, key=key)
        return eqx.tree_at(lambda it: (it.z, it.begun, it.first), nothing, (z, yes, yes))

    def choose(parameters: Array, view: View) -> Float[Array, "action"]:
        controller = eqx.tree_at(lambda it: it.parameters, policy.controller, parameters)
        y = controller(seen(view, controller.widths[0]))
        return action_vector(policy.obeyed.spec, policy.obeyed(y))

    def outcome(view: View) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        return view.reward, view.done > 0

    begin_keys, keys = jnp.moveaxis(jax.vmap(jr.split)(keys), 1, 0)
    return returns(world, jax.vmap(begin)(begin_keys), parameters, choose, outcome, limit, keys=keys)


def dreamed_scores(
    policy: ControlledPolicy,
    first: Float[Array, "batch embed"],
    limit: int,
    key: PRNGKeyArray,
    parameters: np.ndarray,
    numbers: np.ndarray,
    episodes: int,
) -> np.ndarray:
    """Mean returns of controllers [candidate, parameter] over dreams whose dice are a function of `key` and a number.

    Args:
        policy, first, limit: see `dreamed_returns`.
        key: of all dice.
        parameters: of the controllers.
        numbers: of each; controllers with the same number meet the same dice.
        episodes: dreams of each.
    """
    keys = jax.vmap(lambda number: jr.split(jr.fold_in(key, number), episodes))(jnp.asarray(numbers, jnp.uint32))
    every = jnp.repeat(jnp.asarray(parameters, jnp.float32), episodes, axis=0)
    returns, _ = dreamed_returns(policy, every, first, limit=limit, keys=keys.reshape(-1))
    return np.asarray(returns, np.float64).reshape(len(parameters), episodes).mean(axis=1)
