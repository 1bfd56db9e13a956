import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.models.observation import ObservationEncoder
from reverie.models.rssm import RSSM, Belief, RSSMConfig
from reverie.types import ArraySpec

CONFIG = RSSMConfig(deter=16, hidden=8, stoch=3, classes=4, blocks=4)
SPECS = {"vector": ArraySpec("vector", (5,))}
KEY, CODE = jr.key(0), jnp.linspace(-1, 1, 6)
ACTION = jnp.array([0.5, -1.0])
close = lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def make(dtype="float32"):
    encoder = random_parameters(ObservationEncoder, SPECS, units=6, depth=1, multipliers=(1,), dtype=dtype)
    return random_parameters(RSSM, encoder, 2, CONFIG, seed=1)


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def state():
    """Some belief: a memory, three choices, and what they were drawn from."""
    stoch = jax.nn.one_hot(jnp.array([3, 0, 1]), 4)
    return Belief(jnp.sin(jnp.arange(16.0)), stoch, jnp.full((3, 4), -np.log(4), jnp.float32))


@pytest.fixture(scope="module")
def after(model, state):
    """The belief after imagining, and after observing."""
    return model.imagine(state, ACTION, key=KEY), model.observe(state, ACTION, CODE, key=KEY)


def test_a_belief_s_features_are_memory_then_guess(state):
    np.testing.assert_array_equal(state.features, [*state.deter, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0])
    assert len(state.features) == CONFIG.features == CONFIG.deter + CONFIG.latent


def test_features_of_a_batch(state):
    batch = jax.tree.map(lambda x: jnp.stack([x] * 6).reshape(2, 3, *x.shape), state)
    np.testing.assert_array_equal(batch.features[1, 2], state.features)


def test_memory_does_not_depend_on_what_is_seen_now(after):
    imagined, observed = after
    np.testing.assert_array_equal(imagined.deter, observed.deter)
    assert not np.allclose(imagined.logits, observed.logits)


def test_the_posterior_sees_the_observation(model, state, after):
    other = model.observe(state, ACTION, -CODE, key=KEY)
    assert not np.allclose(other.logits, after[1].logits)


def test_prior_logits_are_what_imagination_draws_from(model, after):
    close(model.prior_logits(after[0].deter), after[0].logits)


def test_logits_are_log_probabilities_with_1_percent_uniform(after):
    for belief in after:
        probabilities = np.exp(belief.logits)
        close(probabilities.sum(-1), np.ones(3))
        assert (probabilities >= 0.01 / 4 * (1 - 1e-4)).all()


def test_a_guess_is_one_hot_and_drawn_from_its_logits(model, state, after):
    imagine = eqx.filter_jit(jax.vmap(lambda key: model.imagine(state, ACTION, key=key)))
    drawn = imagine(jr.split(KEY, 4000))
    np.testing.assert_array_equal(np.sort(drawn.stoch, axis=-1)[..., :-1], np.zeros((4000, 3, 3)))
    np.testing.assert_array_equal(drawn.stoch.sum(-1), np.ones((4000, 3)))
    np.testing.assert_allclose(drawn.stoch.mean(0), np.exp(after[0].logits), atol=0.04)


def test_a_guess_has_the_gradient_of_its_probabilities(model, state):
    weight = jr.normal(KEY, (3, 4))

    def through(bias, read):
        shifted = eqx.tree_at(lambda m: m.prior.out.bias, model, bias)
        return jnp.sum(weight * read(shifted.imagine(state, ACTION, key=KEY)))

    by_sample = jax.grad(through)(model.prior.out.bias, lambda belief: belief.stoch)
    by_probability = jax.grad(through)(model.prior.out.bias, lambda belief: jnp.exp(belief.logits))
    close(by_sample, by_probability)
    assert np.abs(by_sample).max() > 0.01


def test_large_actions_are_clipped_to_magnitude_one(model, state):
    imagine = jax.jit(lambda action: model.imagine(state, action, key=KEY).deter)
    close(imagine(jnp.array([3.0, -0.5])), imagine(jnp.array([1.0, -0.5])))
    close(imagine(jnp.array([-7.0, -0.5])), imagine(jnp.array([-1.0, -0.5])))
    assert not np.allclose(imagine(jnp.array([0.5, -0.5])), imagine(jnp.array([1.0, -0.5])))


def test_the_clipped_action_s_gradient_is_divided_not_cut(model, state):
    slope = jax.jit(jax.grad(lambda action: model.imagine(state, action, key=KEY).deter.sum()))
    close(slope(jnp.array([3.0, -0.5])), slope(jnp.array([1.0, -0.5])) / jnp.array([3.0, 1.0]))


def test_everything_begins_with_zeros(model):
    initial = model.initial()
    assert [leaf.shape for leaf in jax.tree.leaves(initial)] == [(16,), (3, 4), (3, 4)]
    assert not any(leaf.any() for leaf in jax.tree.leaves(initial))


def test_latents_are_as_announced_and_recalled(model, after):
    latents = after[1].latents
    assert {name: (x.shape, x.dtype.name) for name, x in latents.items()} == model.latents
    recalled = model.recall(latents)
    np.testing.assert_array_equal(recalled.deter, after[1].deter)
    np.testing.assert_array_equal(recalled.stoch, after[1].stoch)
    again = model.imagine(recalled, ACTION, key=KEY)
    close(again.logits, model.imagine(after[1], ACTION, key=KEY).logits)


def test_bfloat16_memory_and_float32_probabilities(after):
    model = make("bfloat16")
    observed = model.observe(model.initial(), ACTION, CODE.astype(jnp.bfloat16), key=KEY)
    assert [leaf.dtype for leaf in jax.tree.leaves(observed)] == [jnp.bfloat16, jnp.float32, jnp.float32]
    assert observed.features.dtype == jnp.bfloat16
    assert model.recall(observed.latents).deter.dtype == jnp.bfloat16
    np.testing.assert_array_equal(model.recall(observed.latents).deter, observed.deter)


@pytest.mark.parametrize(
    "wrong",
    [{"deter": 20}, {"hidden": 0}, {"stoch": 0}, {"classes": 1}, {"classes": 257}, {"blocks": 0}, {"unimix": 1.0}],
    ids=str,
)
def test_impossible_sizes(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"{name}(=| must be in \[0, 1\), got ){value}"):
        RSSMConfig(**wrong)
