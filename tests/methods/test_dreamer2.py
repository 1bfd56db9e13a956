"""DreamerV2's own: its counts, its slow critic, returns and behaviour losses with the sheet's hand-computed numbers.

Elsewhere: what it shares with the other methods before DreamerV3 (`test_planet_and_later`), whether it learns
(`test_planet_and_later_toys`).
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from methods.lineage import METHODS, column, learner_of, table
from methods.small import BATCH, KEY, NUMBERS, ONE, TIME, same, stack_of

from reverie.methods import dreamer2
from reverie.types import ArraySpec, Spaces

pytestmark = pytest.mark.usefixtures("hasty")
SMALL = METHODS["dreamer2"]
ATARI = Spaces({"image": ArraySpec("image", (64, 64, 1))}, ArraySpec("discrete", (1,), (18,)))


def test_parameter_counts_are_the_sheet_s():
    counts = dreamer2.parameters(ATARI, dreamer2.Config())
    assert sum(counts.values()) == 22_245_398
    assert (counts["encoder"], counts["dynamics"], counts["decoder"]) == (1_549_776, 5_664_848, 10_497_553)
    assert (counts["actor"], counts["critic"]) == (1_138_418, 1_131_601)


@pytest.fixture(scope="module")
def learner():
    return learner_of(SMALL, ONE)


LOGITS = np.array([[0, 1, 2], [1, 0, 0], [3, 0, 1], [0, 0, 0]], np.float32)
"""What the actor says in each of four states."""
RETURNS = np.array([4.639802, 3.81744, 3.98])
"""Section 7, item 3: rewards 1, 0, 2, values .5, 1, 1.5, discount .99, bootstrap 2."""


def behaviour(learner, config, first_survival=0.99):
    """Of one dream whose states pay 1, 0, 2, 99; the critic says 0, the slow one .5, 1, 1.5, 2; actions are 2, 0, 1."""
    where = lambda m: (m.reward, m.critic, m.continue_, m.actor.perceptron)
    always = jax.scipy.special.logit(0.99)
    heads = column(1, 0, 2, 99), column(0, 0, 0, 0), column(*[always] * 4), table(LOGITS)
    model = eqx.tree_at(where, learner.model, heads)
    imagined = dreamer2.Imagined(jnp.eye(4)[None], jax.nn.one_hot(jnp.array([[2, 0, 1]]), 3))
    first = jnp.full(1, first_survival)
    losses = eqx.filter_jit(dreamer2.behaviour_losses)
    return losses(model, column(0.5, 1, 1.5, 2), imagined, first, config)[0]


def judged() -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of the actions where they were drawn, and entropies there; the last counts for nothing."""
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    return log_p[[0, 1], [2, 0]], -(np.exp(log_p) * log_p).sum(-1)[:2]


def test_reinforce_of_the_sheet(learner):
    """The advantage of an action is the return of the state it led to, less the slow value of where it was drawn."""
    losses = behaviour(learner, replace(SMALL.config, entropy=0.1))
    log_prob, entropy = judged()
    gain = log_prob * (RETURNS[1:] - np.array([0.5, 1])) + 0.1 * entropy
    np.testing.assert_allclose(losses["policy"][0], -np.array([1, 0.99]) * gain, rtol=1e-4)
    np.testing.assert_allclose(losses["value"][0], np.array([1, 0.99, 0.99**2]) * 0.5 * RETURNS**2, rtol=1e-4)


def test_the_dynamics_share_of_the_gain_is_the_return(learner):
    losses = behaviour(learner, replace(SMALL.config, entropy=0.0, reinforce=0.25))
    gain = 0.25 * judged()[0] * (RETURNS[1:] - np.array([0.5, 1])) + 0.75 * RETURNS[1:]
    np.testing.assert_allclose(losses["policy"][0], -np.array([1, 0.99]) * gain, rtol=1e-4)


def test_a_dream_that_begins_where_the_world_ended_counts_once(learner):
    """Its first discount is the true one, 0: the first return is the reward alone, and nothing after it weighs."""
    losses = behaviour(learner, replace(SMALL.config, entropy=0.0), first_survival=0.0)
    np.testing.assert_allclose(losses["value"][0], [0.5, 0, 0], atol=1e-6)
    assert losses["policy"][0, 0] != 0
    assert losses["policy"][0, 1] == 0


@pytest.mark.parametrize(("spaces", "expected"), [(ONE, 1.0), (NUMBERS, 0.0)])
def test_choices_are_reinforced_and_numbers_are_not(spaces, expected):
    assert dreamer2.share_of_reinforce(spaces.action, SMALL.config) == expected
    assert dreamer2.share_of_reinforce(spaces.action, replace(SMALL.config, reinforce=0.9)) == 0.9


def test_imagination_starts_from_every_posterior_and_its_actions_lead_on(learner):
    """Start b * T + t is the state (b, t); f_{i+1} follows from f_i and a_i, given the guesses that were drawn."""
    states = eqx.filter_jit(dreamer2.posterior)(learner.model, stack_of(ONE), key=KEY)
    imagined = eqx.filter_jit(dreamer2.imagine)(learner.model, states, SMALL.config, key=KEY)
    horizon = SMALL.config.horizon
    assert imagined.features.shape == (BATCH * TIME, horizon + 1, SMALL.config.rssm.features)
    np.testing.assert_array_equal(imagined.features[:, 0], states.features.reshape(BATCH * TIME, -1))
    world = learner.model.world

    def memory(features, action):
        stoch = features[8:].reshape(3, 4)
        state = eqx.tree_at(lambda s: (s.deter, s.stoch), world.initial(), (features[:8], stoch))
        return world.imagine(state, action, key=KEY).deter

    following = jax.jit(jax.vmap(jax.vmap(memory)))(imagined.features[:, :-1], imagined.actions)
    same(following, imagined.features[:, 1:, :8], rtol=1e-4, atol=1e-5)


def test_the_free_nats_are_of_the_mean_divergence(learner):
    """Below them the divergence trains nothing, however large it is in single steps."""
    batch = stack_of(ONE)

    @eqx.filter_jit
    @eqx.filter_grad
    def gradient(model, config):
        return dreamer2.total_loss(model, learner, batch, config, KEY)[0]

    config = replace(SMALL.config, kl_scale=1.0)
    mean = eqx.filter_jit(dreamer2.total_loss)(learner.model, learner, batch, config, KEY)[1]["loss/dynamics"]
    free = [gradient(learner.model, replace(config, free_nats=float(mean) * share)).world.prior for share in (0.9, 1.1)]
    assert all(leaf.any() for leaf in jax.tree.leaves(free[0]))
    assert not any(leaf.any() for leaf in jax.tree.leaves(free[1]))


@pytest.mark.parametrize(("updates", "copied"), [(0, True), (1, False), (99, False), (100, True)])
def test_the_slow_critic_stands_still_for_a_hundred_updates(learner, updates, copied):
    before = eqx.tree_at(lambda le: le.updates, learner, jnp.asarray(updates, jnp.int32))
    after, _ = eqx.filter_jit(dreamer2.update)(before, stack_of(ONE), SMALL.config)
    same(after.slow_critic, after.model.critic if copied else learner.slow_critic)
    assert not np.array_equal(after.model.critic.out.weight, learner.slow_critic.out.weight)


def test_a_learner_begins_with_a_copied_slow_critic():
    begun = eqx.filter_jit(lambda key: dreamer2.initialise(ONE, SMALL.config, key=key))(KEY)
    same(begun.slow_critic, begun.model.critic)
