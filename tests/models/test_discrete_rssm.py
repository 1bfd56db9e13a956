import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.models.discrete_rssm import DiscreteRSSM, DiscreteRSSMConfig
from reverie.models.plain_observation import PlainEncoder
from reverie.models.rssm import Belief
from reverie.types import ArraySpec

CONFIG = DiscreteRSSMConfig(deter=7, hidden=6, stoch=3, classes=4)
SPECS = {"vector": ArraySpec("vector", (5,))}
SHAPE = {"layers": 1, "activation": "elu", "pixel_activation": "elu"}
KEY, CODE = jr.key(0), jnp.linspace(-1, 1, 6)
ACTION = jnp.array([0.5, -3.0])
close = lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def make(norm=False):
    encoder = random_parameters(PlainEncoder, SPECS, units=6, depth=1, **SHAPE)
    return random_parameters(DiscreteRSSM, encoder, 2, CONFIG, norm=norm, seed=1)


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def state():
    """Some belief: a memory, three choices, and what they were drawn from."""
    stoch = jax.nn.one_hot(jnp.array([3, 0, 1]), 4)
    return Belief(jnp.sin(jnp.arange(7.0)), stoch, jnp.zeros((3, 4)))


@pytest.fixture(scope="module")
def after(model, state):
    """The belief after imagining, and after observing."""
    return model.imagine(state, ACTION, key=KEY), model.observe(state, ACTION, CODE, key=KEY)


def count(module):
    return sum(leaf.size for leaf in jax.tree.leaves(module))


def test_count_is_the_paper_s_on_atari():
    """Section 4.4 of the sheet: 18 actions, 1536 features of the image."""
    images = {"image": ArraySpec("image", (64, 64, 1))}
    encoder = random_parameters(PlainEncoder, images, units=400, depth=48, **SHAPE)
    assert encoder.outputs == 1536
    model = eqx.filter_eval_shape(DiscreteRSSM, encoder, 18, DiscreteRSSMConfig(), key=KEY)
    assert count(model) - count(encoder) == 5_664_848


def dense(x, layer):
    return x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)


def normed(x, norm):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-3) * np.asarray(norm.scale) + np.asarray(norm.shift)


def hidden(x, perceptron):
    x = dense(x, perceptron.hidden[0])
    x = normed(x, perceptron.norms[0]) if perceptron.norms else x
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("norm", [False, True])
def test_against_numpy(norm, state):
    """Section 4.2 of the sheet."""
    model, h = make(norm), np.asarray(state.deter, float)
    x = hidden(np.concatenate([np.ravel(state.stoch), ACTION]), model.entry)
    parts = normed(dense(np.concatenate([x, h]), model.cell.dense), model.cell.norm)
    reset, candidate, update = np.split(parts, 3)
    u = sigmoid(update - 1)
    h = u * np.tanh(sigmoid(reset) * candidate) + (1 - u) * h
    prior = dense(hidden(h, model.prior), model.prior.out).reshape(3, 4)
    posterior = dense(hidden(np.concatenate([h, CODE]), model.posterior), model.posterior.out).reshape(3, 4)
    imagined, observed = model.imagine(state, ACTION, key=KEY), model.observe(state, ACTION, CODE, key=KEY)
    for belief, logits in ((imagined, prior), (observed, posterior)):
        close(belief.deter, h)
        close(belief.logits, logits)
    close(model.prior_logits(observed.deter), prior)


def test_features_are_memory_then_guess(after):
    np.testing.assert_array_equal(after[0].features, jnp.concatenate([after[0].deter, after[0].stoch.reshape(-1)]))
    assert len(after[0].features) == CONFIG.features == CONFIG.deter + CONFIG.latent == 7 + 12


def test_memory_does_not_depend_on_what_is_seen_now(model, state, after):
    other = model.observe(state, ACTION, -CODE, key=KEY)
    np.testing.assert_array_equal(after[0].deter, other.deter)
    assert not np.allclose(other.logits, after[1].logits)


def test_a_guess_is_one_hot_and_drawn_from_the_softmax_alone(model, state, after):
    """Nothing is mixed in: a choice that is not likely at all is never made."""
    sure = eqx.tree_at(lambda m: m.prior.out.bias, model, model.prior.out.bias.at[2].set(-100.0))
    drawn = jax.jit(jax.vmap(lambda key: sure.imagine(state, ACTION, key=key)))(jr.split(KEY, 4000))
    np.testing.assert_array_equal(np.sort(drawn.stoch, axis=-1)[..., :-1], np.zeros((4000, 3, 3)))
    np.testing.assert_array_equal(drawn.stoch.sum(-1), np.ones((4000, 3)))
    p = jax.nn.softmax(after[0].logits.at[0, 2].set(-100.0))
    assert (np.abs(drawn.stoch.mean(0) - p) <= 5 * np.sqrt(p * (1 - p) / 4000)).all()


def test_a_guess_has_the_gradient_of_its_probabilities(model, state):
    weight = jr.normal(KEY, (3, 4))

    def through(bias, read):
        shifted = eqx.tree_at(lambda m: m.posterior.out.bias, model, bias)
        return jnp.sum(weight * read(shifted.observe(state, ACTION, CODE, key=KEY)))

    by_sample = jax.grad(through)(model.posterior.out.bias, lambda belief: belief.stoch)
    close(by_sample, jax.grad(through)(model.posterior.out.bias, lambda belief: jax.nn.softmax(belief.logits)))
    assert np.abs(by_sample).max() > 0.01


def test_everything_begins_with_zeros(model):
    initial = model.initial()
    assert [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(initial)] == [
        ((7,), jnp.float32), ((3, 4), jnp.float32), ((3, 4), jnp.float32)
    ]  # fmt: skip
    assert not any(leaf.any() for leaf in jax.tree.leaves(initial))


def test_the_encoder_is_the_one_given(model):
    vector = {"vector": jnp.linspace(-2, 2, 5)}
    np.testing.assert_array_equal(model.encode(vector), model.encoder(vector))


@pytest.mark.parametrize("wrong", [{"deter": 0}, {"hidden": 0}, {"stoch": 0}, {"classes": 1}], ids=str)
def test_impossible_sizes(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"{name}={value}"):
        DiscreteRSSMConfig(**wrong)
