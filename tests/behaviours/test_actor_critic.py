import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.behaviours.actor_critic import Actor, Critic, follow
from reverie.maths.scaling import BINS
from reverie.types import ArraySpec

FEATURES = jnp.linspace(-1, 1, 6)
CHOICE = ArraySpec("discrete", (1,), (3,))
CHOICES = ArraySpec("discrete", (2,), (2, 3))
NUMBERS = ArraySpec("continuous", (2,))


class Says(eqx.Module):
    """A head that always answers the same."""

    answer: jax.Array

    def __call__(self, features):
        return self.answer


def actor(spec, answer, mix=0.01):
    made = random_parameters(Actor, 6, 8, spec, mix=mix)
    return eqx.tree_at(lambda a: a.head, made, Says(jnp.float32(answer)))


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


@pytest.mark.parametrize("mix", [0.0, 0.01])
def test_choices_are_softmax_and_a_little_uniform(mix):
    policy = actor(CHOICES, [1.0, 3.0, 0.0, 9.0, -40.0], mix)(FEATURES)
    expected = [*((1 - mix) * softmax([1, 3]) + mix / 2), *((1 - mix) * softmax([0, 9, -40]) + mix / 3)]
    assert policy.classes == (2, 3)
    np.testing.assert_allclose(np.exp(policy.logits), expected, rtol=1e-4, atol=1e-12)


def test_numbers_are_means_then_deviations():
    policy = actor(NUMBERS, [0.3, -2.0, 0.0, 50.0])(FEATURES)
    np.testing.assert_allclose(policy.mean, np.tanh([0.3, -2.0]), rtol=1e-6)
    np.testing.assert_allclose(policy.std, [0.892717, 1.0], rtol=1e-6)


@pytest.mark.parametrize(("spec", "outputs"), [(CHOICE, 3), (CHOICES, 5), (NUMBERS, 4)])
def test_sizes(spec, outputs):
    made = random_parameters(Actor, 6, 8, spec, mix=0.01)
    assert [layer.linear.weight.shape for layer in made.head.mlp.layers] == [(6, 8), (8, 8), (8, 8)]
    assert made.head.out.weight.shape == (8, outputs)
    action = made(FEATURES).sample(key=jr.key(0))
    assert (action.shape, action.dtype) == (spec.shape, spec.dtype)


def test_the_actor_begins_almost_indifferent():
    """Its last layer is a hundred times smaller than the others; the critic's is zero."""
    made = Actor(6, 8, CHOICE, mix=0.0, key=jr.key(0))
    np.testing.assert_allclose(np.exp(made(FEATURES).logits), np.full(3, 1 / 3), atol=0.01)
    assert made.head.out.weight.any()


def test_the_critic_begins_with_exactly_zero():
    made = Critic(6, 8, key=jr.key(0))
    assert len(made.head.mlp.layers) == 3
    assert not made(FEATURES).any()
    assert made.value(FEATURES) == 0


def test_the_critic_s_value_is_the_mean_of_its_bins():
    sure = jnp.full(BINS, -1e3).at[jnp.array([122, 123])].set(jnp.log(jnp.array([0.382671, 0.617329])))
    critic = eqx.tree_at(lambda c: c.head, random_parameters(Critic, 6, 8), Says(sure))
    assert critic(FEATURES).shape == (BINS,)
    np.testing.assert_allclose(critic.value(FEATURES), -1, rtol=1e-5)


def test_the_actor_judges_an_action_as_its_distribution_does():
    made, action = actor(CHOICES, [1.0, 3.0, 0.0, 9.0, -40.0]), jnp.array([1, 0], jnp.int32)
    log_prob, entropy = made.judge(FEATURES, action)
    assert (log_prob, entropy) == (made(FEATURES).log_prob(action), made(FEATURES).entropy())


def test_the_slow_critic_follows():
    """2 % of the way, every leaf; from 1 towards 0 that leaves 0.98."""
    critic = random_parameters(Critic, 6, 8)
    slow, fast = jax.tree.map(jnp.ones_like, critic), jax.tree.map(jnp.zeros_like, critic)
    for leaf in jax.tree.leaves(follow(slow, fast, rate=0.02)):
        np.testing.assert_allclose(leaf, np.full(leaf.shape, 0.98), rtol=1e-6)
