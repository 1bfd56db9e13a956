"""Kullback-Leibler divergences.

KL(p || q) = sum_i p_i (ln p_i - ln q_i)          summed over a state's categorical variables
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def categorical_kl(
    p_logits: Float[Array, "variables classes"], q_logits: Float[Array, "variables classes"]
) -> Float[Array, ""]:
    """KL(p || q) in nats, summed over the variables. Logits need not be normalised."""
    log_p, log_q = jax.nn.log_softmax(p_logits), jax.nn.log_softmax(q_logits)
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q))
