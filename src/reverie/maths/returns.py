"""The lambda-return, for imagined and for replayed sequences alike.

Schulman et al., arXiv 1506.02438 (as a return); DreamerV3 (2025), equation of the critic's targets:

    R_t = r_{t+1} + d_{t+1} [(1 - lambda_{t+1}) v_{t+1} + lambda_{t+1} R_{t+1}],     R_H = v_H

Row t of every input describes the arrival at step t + 1 (see `types`): pass r[1:], d[1:], v[1:]. `d` is the chance of
going on times the discount; a lambda of zero at a step cuts the chain there and bootstraps from that step's value.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def lambda_return(
    reward: Float[Array, "horizon"],
    discount: Float[Array, "horizon"],
    value: Float[Array, "horizon"],
    lambda_: float | Float[Array, "horizon"],
) -> Float[Array, "horizon"]:
    """R_0 ... R_{H-1} of one sequence."""

    def backward(next_return, arrival):
        reward, discount, value, mix = arrival
        current = reward + discount * ((1 - mix) * value + mix * next_return)
        return current, current

    arrivals = (reward, discount, value, jnp.broadcast_to(jnp.asarray(lambda_, reward.dtype), reward.shape))
    return jax.lax.scan(backward, value[-1], arrivals, reverse=True)[1]
