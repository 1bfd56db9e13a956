"""DreamerV3's returns and behaviour losses with the hand-computed numbers of its paper's sheet."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from methods.small import CONFIG, ONE, learner_of

from reverie.maths.return_scale import ReturnScale
from reverie.maths.scaling import BINS, two_hot, two_hot_bins
from reverie.methods import dreamer3
from reverie.models.rssm import Belief
from reverie.types import Sequence

pytestmark = pytest.mark.usefixtures("hasty")


class Table(eqx.Module):
    """Answers with a row of numbers for each one-hot feature."""

    rows: jax.Array

    def __call__(self, features):
        return features @ self.rows


def saying(*values) -> jax.Array:
    """Two-hot logits whose mean is each of the values."""
    lower, weight = jax.vmap(two_hot)(jnp.float32(values))
    code = jax.nn.one_hot(lower, BINS) * (1 - weight)[:, None] + jax.nn.one_hot(lower + 1, BINS) * weight[:, None]
    return jnp.log(jnp.maximum(code, 1e-12))


@pytest.fixture(scope="module")
def blank() -> dreamer3.Learner:
    return learner_of(ONE, CONFIG)


def test_imagined_returns_weights_and_losses_of_the_sheet(blank):
    """rew = [9, 1, 0, 2], val = [.5, 1, 1.5, 2], con = [.9, .8, 1, .5] -> G = [3.263, 2.925, 3], w = [.9, .72, .72]."""
    rewards, values = Table(saying(9, 1, 0, 2)), Table(saying(0.5, 1, 1.5, 2))
    going_on = Table(jax.scipy.special.logit(jnp.array([0.9, 0.8, 1, 0.5]).clip(0, 1 - 1e-7))[:, None])
    where = lambda m: (m.reward, m.critic.head, m.continue_, m.actor.head)
    model = eqx.tree_at(where, blank.model, (rewards, values, going_on, Table(jnp.zeros((4, 3)))))
    slow_critic = eqx.tree_at(lambda c: c.head, blank.slow_critic, Table(saying(0, 0, -1, 5)))
    imagined = dreamer3.Imagined(jnp.eye(4)[None], jnp.zeros((1, 3, 1), jnp.int32))

    scale = ReturnScale(jnp.float32(-1), jnp.float32(1))
    losses, returns, scale, facts = eqx.filter_jit(dreamer3.behaviour_losses)(
        model, slow_critic, scale, imagined, CONFIG
    )
    np.testing.assert_allclose(returns[0], [3.263, 2.925, 3.0], rtol=1e-5)

    low, high = np.percentile([3.263, 2.925, 3.0], [5, 95])
    spread = 0.99 * 2 + 0.01 * (high - low)
    np.testing.assert_allclose(facts["return_scale"], spread, rtol=1e-5)

    weight, advantage = np.array([0.9, 0.72, 0.72]), np.array([3.263 - 0.5, 2.925 - 1, 3 - 1.5]) / spread
    policy = -weight * (-np.log(3) * advantage + 3e-4 * np.log(3))
    np.testing.assert_allclose(losses["policy"][0], policy, rtol=1e-5)

    targets = np.exp(saying(3.263, 2.925, 3.0)) + np.exp(saying(0, 0, -1))
    value = -weight * (targets * jax.nn.log_softmax(saying(0.5, 1, 1.5))).sum(-1)
    np.testing.assert_allclose(losses["value"][0], value, rtol=1e-4)


@pytest.mark.parametrize(
    ("terminated", "expected"),
    [([0, 0, 1, 0], [2.944144, 2.0]), ([0, 0, 0, 0], [4.360598, 3.495495])],
    ids=["terminated", "truncated"],
)
def test_replayed_returns_of_the_sheet(blank, terminated, expected):
    """boot = [.5, 1, 1.5, 2], rew = [0, 1, 2, 0], last = [0, 0, 1, 0]; the loss has weights [1, 1, 0].

    A critic whose logits are the bins themselves (the far ones cut off) reads its target off: its cross-entropy is the
    logarithm of the normaliser minus the target. The slow critic says 0.
    """
    bins = jnp.where(np.abs(two_hot_bins()) < 20, two_hot_bins(), -1e6)
    model = eqx.tree_at(lambda m: m.critic.head, blank.model, Table(jnp.stack([bins] * 4)))
    slow_critic = eqx.tree_at(lambda c: c.head, blank.slow_critic, Table(saying(0, 0, 0, 0)))
    is_last, terminated = jnp.array([[0, 0, 1, 0]], bool), jnp.array([terminated], bool)
    rows = Sequence({}, jnp.zeros((1, 4, 1), jnp.int32), jnp.array([[0.0, 1, 2, 0]]), terminated, is_last, is_last)
    states = Belief(jnp.eye(4)[None], jnp.zeros((1, 4, 1, 0)), jnp.zeros((1, 4, 1, 0)))

    bootstrap = jnp.array([[0.5, 1, 1.5, 2]])
    loss = eqx.filter_jit(dreamer3.replay_value_loss)(model, slow_critic, states, rows, bootstrap, CONFIG)
    target = 2 * jax.nn.logsumexp(bins) - loss[0]
    np.testing.assert_allclose(target[:2], expected, atol=1e-5)
    assert loss[0, 2] == 0
