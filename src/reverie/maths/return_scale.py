"""The range of the returns, so that one entropy bonus suits every reward.

DreamerV3 (2025), "Actor learning":

    low, high <- 0.99 (low, high) + 0.01 (5th, 95th percentile of the returns)       from 0, without debiasing
    S = max(1, high - low)                                                           advantages are divided by S

Small returns are never amplified; large ones are brought to about one.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class ReturnScale(eqx.Module):
    """A running estimate of the 5th and the 95th percentile."""

    low: Float[Array, ""]
    high: Float[Array, ""]

    @classmethod
    def initial(cls) -> "ReturnScale":
        return cls(jnp.zeros(()), jnp.zeros(()))

    def update(self, returns: Float[Array, "*shape"], *, rate: float) -> "ReturnScale":
        """Moves towards the percentiles of these returns; no gradient."""
        low, high = jnp.percentile(jax.lax.stop_gradient(returns), jnp.asarray([5.0, 95.0]))
        return ReturnScale((1 - rate) * self.low + rate * low, (1 - rate) * self.high + rate * high)

    def scale(self) -> Float[Array, ""]:
        """S."""
        return jnp.maximum(1.0, self.high - self.low)
