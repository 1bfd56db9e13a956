"""Kullback-Leibler divergences.

KL(p || q) = sum_i p_i (ln p_i - ln q_i)                                   summed over a state's categorical variables
KL(p || q) = ln(s_q / s_p) + (s_p^2 + (m_p - m_q)^2) / (2 s_q^2) - 1 / 2          the same for normal ones
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


def gaussian_kl(
    p_mean: Float[Array, "variables"],
    p_std: Float[Array, "variables"],
    q_mean: Float[Array, "variables"],
    q_std: Float[Array, "variables"],
) -> Float[Array, ""]:
    """KL(p || q) of independent normals in nats, summed over the variables."""
    ratio, shift = p_std / q_std, (p_mean - q_mean) / q_std
    return jnp.sum(0.5 * (ratio**2 + shift**2 - 1) - jnp.log(ratio))
