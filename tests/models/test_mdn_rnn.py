"""M of World Models: the sheet's counts, its mixture on numbers worked out by hand, and what it is told when."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.models.mdn_rnn import MDNRNN, Mixture, Recurrent, losses

KEY = jr.key(0)
NO, YES, ZERO = jnp.asarray(False), jnp.asarray(True), jnp.asarray(0.0)


@pytest.mark.parametrize(
    ("latents", "action", "units", "ends", "parameters"),
    [(32, 3, 256, False, 422_368), (64, 1, 512, True, 1_678_785)],
    ids=["CarRacing", "Doom"],
)
def test_parameters_of_the_paper(latents, action, units, ends, parameters):
    model = eqx.filter_eval_shape(MDNRNN, latents, action, units, ends=ends, key=KEY)
    assert sum(leaf.size for leaf in jax.tree.leaves(model)) == parameters


# ------------------------------------------------------------------------------------------------------ the mixture


@pytest.fixture
def mixture() -> Mixture:
    """One latent: 3/4 at 1 with deviation 2, 1/4 at -1 with deviation 1/2, three components that never come."""
    logits = jnp.log(jnp.asarray([[0.75, 0.25, 1e-30, 1e-30, 1e-30]]))
    mean = jnp.asarray([[1.0, -1, 9, 9, 9]])
    return Mixture(logits, mean, jnp.log(jnp.asarray([[2.0, 0.5, 1, 1, 1]])), jnp.asarray(-1.0))


def normal(x, mean, std):
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


@pytest.mark.parametrize("z", [-2.0, 0.0, 1.5])
def test_density_by_hand(mixture, z):
    expected = np.log(0.75 * normal(z, 1, 2) + 0.25 * normal(z, -1, 0.5))
    np.testing.assert_allclose(mixture.log_prob(jnp.asarray([z])), [expected], rtol=1e-5)


def test_temperature_flattens_the_choice_and_widens_the_noise(mixture):
    """At tau the weights are proportional to pi^(1 / tau), and the variances tau times as large."""

    def moments(temperature):
        draw = jax.jit(jax.vmap(lambda key: mixture.sample(temperature, key=key)))
        samples = np.asarray(draw(jr.split(KEY, 40_000)))
        return samples.mean(), samples.var()

    for temperature in (0.5, 1.0, 1.3):
        weights = np.asarray([0.75, 0.25]) ** (1 / temperature)
        weights /= weights.sum()
        mean = weights @ [1, -1]
        variance = weights @ [4 * temperature + 1, 0.25 * temperature + 1] - mean**2
        np.testing.assert_allclose(moments(temperature), (mean, variance), atol=0.06)


def test_latents_choose_each_for_itself():
    """Two latents at +-3 with equal weights: all four combinations come."""
    logits, mean = jnp.zeros((2, 5)), jnp.asarray([[3.0, -3, 3, -3, 3]] * 2)
    mixture = Mixture(logits, mean, jnp.full((2, 5), -4.0), None)
    samples = jax.vmap(lambda key: mixture.sample(key=key))(jr.split(KEY, 200))
    assert {tuple(signs) for signs in np.sign(np.asarray(samples)).tolist()} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_losses_by_hand(mixture):
    terms = losses(mixture, jnp.asarray([0.0]), NO, ZERO)
    np.testing.assert_allclose(terms["latent"], -np.log(0.75 * normal(0, 1, 2) + 0.25 * normal(0, -1, 0.5)), rtol=1e-5)
    np.testing.assert_allclose(terms["done"], np.log1p(np.exp(-1.0)), rtol=1e-5)
    ended = losses(mixture, jnp.asarray([0.0]), YES, ZERO)["done"]
    np.testing.assert_allclose(ended, 10 * np.log1p(np.exp(1.0)), rtol=1e-5)
    without = Mixture(mixture.logits, mixture.mean, mixture.log_std, None)
    assert losses(without, jnp.asarray([0.0]), NO, ZERO).keys() == {"latent"}


def test_the_latent_loss_is_a_mean_over_latents(mixture):
    two = Mixture(*(jnp.concatenate([part, part]) for part in (mixture.logits, mixture.mean, mixture.log_std)), None)
    alone = [losses(mixture, jnp.asarray([z]), NO, ZERO)["latent"] for z in (0.0, 1.5)]
    np.testing.assert_allclose(losses(two, jnp.asarray([0.0, 1.5]), NO, ZERO)["latent"], np.mean(alone), rtol=1e-5)


# ------------------------------------------------------------------------------------------------------- the memory


@pytest.mark.parametrize("ends", [False, True])
def test_what_is_told_when(ends):
    """Latent, action and, with a done head alone, the restart move the memory; it starts from zeros."""
    model = MDNRNN(2, 1, 4, ends=ends, key=KEY)
    start, z, action = model.initial(), jnp.ones(2), jnp.ones(1)
    assert not np.any(jnp.concatenate(start))
    told = [
        model.advance(start, z, action, NO),
        model.advance(start, 2 * z, action, NO),
        model.advance(start, z, 2 * action, NO),
        model.advance(start, z, action, YES),
        model.advance(Recurrent(start.h + 1, start.c), z, action, NO),
    ]
    same = [np.array_equal(told[0].h, other.h) for other in told[1:]]
    assert same == [False, False, not ends, False]


def test_the_head_s_layout():
    """First the done logit, then for each latent five logits, five means, five logarithms of deviations."""
    model = MDNRNN(2, 1, 4, ends=True, key=KEY)
    model = eqx.tree_at(lambda it: it.head.bias, model, jnp.arange(31.0))
    mixture = model.predict(model.initial())
    assert mixture.done == 0
    np.testing.assert_array_equal(mixture.logits, [[1, 2, 3, 4, 5], [16, 17, 18, 19, 20]])
    np.testing.assert_array_equal(mixture.mean[0], [6, 7, 8, 9, 10])
    np.testing.assert_array_equal(mixture.log_std[1], [26, 27, 28, 29, 30])


def test_a_reward_head_adds_its_error_and_leaves_the_mixture_as_it_is():
    """(3 - 1)^2 / 2 is added to the loss; all that both have begins with the same numbers."""
    plain, paid = (MDNRNN(2, 1, 4, ends=True, rewards=rewards, key=KEY) for rewards in (False, True))
    paid = eqx.tree_at(lambda it: it.reward.bias, paid, jnp.ones(1))
    for ours, theirs in ((plain.cell, paid.cell), (plain.head, paid.head)):
        assert eqx.tree_equal(ours, theirs)
    mixture, same = paid.predict(paid.initial()), plain.predict(plain.initial())
    assert mixture.reward == 1
    assert same.reward is None
    assert mixture.done == same.done
    np.testing.assert_array_equal(mixture.log_std, same.log_std)
    terms = losses(mixture, jnp.zeros(2), NO, jnp.asarray(3.0))
    np.testing.assert_allclose(terms["reward"], 2.0)
    assert terms.keys() - losses(same, jnp.zeros(2), NO, jnp.asarray(3.0)).keys() == {"reward"}


def test_so_much_of_the_gradient_of_rewards_reaches_what_is_remembered():
    """With none of it, the loss moves the reward's head alone; a plan's gradient goes through the head all the same."""

    def gradients(shaping):
        model = MDNRNN(2, 1, 4, ends=True, rewards=True, shaping=shaping, key=KEY)
        memory = model.advance(model.initial(), jnp.ones(2), jnp.ones(1), NO)

        def loss(model, memory):
            return losses(model.judged(memory), jnp.zeros(2), NO, jnp.asarray(3.0))["reward"]

        assert jax.grad(lambda memory: model.predict(memory).reward)(memory).h.any()
        np.testing.assert_allclose(model.judged(memory).reward, model.predict(memory).reward, rtol=1e-6)
        return jax.grad(loss, argnums=(0, 1))(model, memory)

    moved, remembered = gradients(0.0)
    assert moved.reward.weight.any()
    assert not any(leaf.any() for leaf in jax.tree.leaves((moved.cell, moved.head, remembered)))
    whole, half = gradients(1.0)[1].h, gradients(0.5)[1].h
    assert whole.any()
    np.testing.assert_allclose(half, 0.5 * whole, rtol=1e-6)
