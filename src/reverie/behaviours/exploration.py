"""Play that knows nothing yet, for data to begin with.

Held actions are Ha & Schmidhuber's for Doom (arXiv 1803.10122, the authors' code): a number drawn uniformly from -1 to
1 stays for k steps, k drawn uniformly from 1 to 10, and then another one.
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from reverie.behaviours.controller import Obeyed
from reverie.protocol import AbstractPolicy

LONGEST = 10
"""Steps for which an action is held at most."""


class Hand(eqx.Module):
    """Where the hand is, and for how many steps it stays there."""

    y: Float[Array, "*batch outputs"]
    left: Int[Array, "*batch"]


class HeldPolicy(AbstractPolicy[Hand]):
    """Draws anew when the time is over, or another episode begins."""

    obeyed: Obeyed

    def initial(self) -> Hand:
        return Hand(jnp.zeros(self.obeyed.outputs), jnp.zeros((), jnp.int32))

    def act(
        self, carry: Hand, observation: dict[str, Array], is_first: Bool[Array, ""], *, key: PRNGKeyArray
    ) -> tuple[Array, Hand]:
        where, how_long = jr.split(key)
        anew = is_first | (carry.left == 0)
        y = jnp.where(anew, jr.uniform(where, carry.y.shape, minval=-1.0), carry.y)
        left = jnp.where(anew, jr.randint(how_long, (), 1, LONGEST + 1), carry.left)
        return self.obeyed(y), Hand(y, left - 1)
