import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.models.gaussian_rssm import KINDS, GaussianBelief, GaussianRSSM, GaussianRSSMConfig
from reverie.models.plain_observation import PlainDecoder, PlainEncoder
from reverie.nn.gru import GRU, ResetAfterGRU
from reverie.types import ArraySpec

SPECS = {"vector": ArraySpec("vector", (5,))}
SHAPE = {"layers": 1, "activation": "elu", "pixel_activation": "relu"}
KEY, CODE, ACTION = jr.key(0), jnp.linspace(-1, 1, 4), jnp.array([0.5, -3.0])
CELLS = {"relu": GRU, "elu": ResetAfterGRU}
"""PlaNet's, with its activation, and Dreamer's."""
close = lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def make(kind, activation):
    config = GaussianRSSMConfig(deter=7, hidden=6, stoch=3, kind=kind)
    encoder = random_parameters(PlainEncoder, SPECS, units=4, depth=1, **SHAPE)
    return random_parameters(GaussianRSSM, encoder, 2, config, cell=CELLS[activation], activation=activation, seed=1)


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return make(request.param, "elu")


@pytest.fixture(scope="module")
def state(model):
    """Some belief: a memory, three numbers, and what they were drawn from."""
    stoch = jnp.array([0.5, -2.0, 1.0])
    return GaussianBelief(jnp.sin(jnp.arange(1.0 * model.prior_inputs)), stoch, 2 * stoch, stoch**2, model.cell is None)


@pytest.fixture(scope="module")
def after(model, state):
    """The belief after imagining, and after observing."""
    return model.imagine(state, ACTION, key=KEY), model.observe(state, ACTION, CODE, key=KEY)


def count(module):
    return sum(leaf.size for leaf in jax.tree.leaves(module))


def test_counts_are_dreamer_1_s():
    """Section 3.1 of the sheet: 6 numbers as action, 64x64x3 pixels."""
    images = {"image": ArraySpec("image", (64, 64, 3))}
    encoder = random_parameters(PlainEncoder, images, units=400, depth=32, **SHAPE)
    assert (count(encoder), encoder.outputs) == (690_144, 1024)
    config = GaussianRSSMConfig()
    shape = {"cell": ResetAfterGRU, "activation": "elu"}
    model = eqx.filter_eval_shape(GaussianRSSM, encoder, 6, config, **shape, key=KEY)
    assert count(model) - count(encoder) == 557_920
    decoder = eqx.filter_eval_shape(PlainDecoder, images, config.features, units=400, depth=32, **SHAPE, key=KEY)
    assert count(decoder) == 3_795_555


def dense(x, layer):
    return x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)


def hidden(x, perceptron):
    act = {"elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), "relu": lambda x: np.maximum(x, 0)}
    return act[perceptron.activation](dense(x, perceptron.hidden[0])) if perceptron.hidden else x


def normal(x, perceptron):
    mean, raw = np.split(dense(hidden(x, perceptron), perceptron.out), 2)
    return mean, np.log1p(np.exp(raw)) + 0.1


@pytest.mark.parametrize("activation", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_against_numpy(kind, activation):
    """Section 2.2 of the sheet; the cells have tests of their own."""
    model, stoch = make(kind, activation), jnp.array([0.5, -2.0, 1.0])
    state = GaussianBelief(jnp.sin(jnp.arange(1.0 * model.prior_inputs)), stoch, 2 * stoch, stoch**2, kind == "ssm")
    assert {part.activation for part in (model.entry, model.prior, model.posterior)} == {activation}
    x = hidden(np.concatenate([stoch, ACTION]), model.entry)
    h = x if kind == "ssm" else np.asarray(model.cell(state.deter, jnp.float32(x)), float)
    assert kind == "ssm" or type(model.cell) is CELLS[activation]
    prior = normal(h, model.prior)
    known = np.concatenate(prior) if kind == "ssm" else h
    posterior = normal(np.concatenate([known, CODE]), model.posterior)
    imagined, observed = model.imagine(state, ACTION, key=KEY), model.observe(state, ACTION, CODE, key=KEY)
    for belief, (mean, std) in ((imagined, prior), (observed, posterior)):
        close(belief.deter, h)
        close(belief.mean, mean)
        close(belief.std, std)
        close(belief.stoch, mean if kind == "rnn" else mean + std * np.asarray(jr.normal(KEY, (3,))))
    close(jnp.stack(model.prior_normal(observed.deter)), prior)
    close(belief.features, belief.stoch if kind == "ssm" else np.concatenate([belief.stoch, belief.deter]))
    assert len(belief.features) == model.config.features


def test_features_of_a_batch(model, after):
    batch = jax.tree.map(lambda x: jnp.stack([x] * 6).reshape(2, 3, *x.shape), after[0])
    np.testing.assert_array_equal(batch.features[1, 2], after[0].features)


def test_what_was_drawn_before_is_used_and_what_it_was_drawn_from_is_not(model, state, after):
    elsewhere = eqx.tree_at(lambda s: (s.mean, s.std), state, (state.mean + 1, state.std + 1))
    jax.tree.map(np.testing.assert_array_equal, model.observe(elsewhere, ACTION, CODE, key=KEY), after[1])
    other = eqx.tree_at(lambda s: s.stoch, state, state.stoch + 1)
    assert not np.allclose(model.observe(other, ACTION, CODE, key=KEY).mean, after[1].mean)


def test_only_the_ssm_has_no_memory(model, state, after):
    other = eqx.tree_at(lambda s: s.deter, state, state.deter + 1)
    same = [
        np.allclose(ours.mean, theirs.mean)
        for ours, theirs in zip(
            (model.imagine(other, ACTION, key=KEY), model.observe(other, ACTION, CODE, key=KEY)), after, strict=True
        )
    ]
    assert same == [model.config.kind == "ssm"] * 2


def test_only_the_rnn_draws_nothing(model, state, after):
    again = model.imagine(state, ACTION, key=jr.key(1)), model.observe(state, ACTION, CODE, key=jr.key(1))
    for one, other in zip(again, after, strict=True):
        np.testing.assert_array_equal(one.mean, other.mean)
        assert np.array_equal(one.stoch, other.stoch) == (model.config.kind == "rnn")


def test_what_is_seen_now_changes_the_guess_alone(model, state, after):
    other = model.observe(state, ACTION, -CODE, key=KEY)
    np.testing.assert_array_equal(other.deter, after[0].deter)
    assert not np.allclose(other.mean, after[1].mean)
    assert not np.allclose(other.std, after[1].std)


def test_gradients_flow_through_what_was_drawn(model, state):
    """z = mean + std e: to the mean as it is, to the deviation by e, which is 0 where nothing is drawn."""

    def drawn(biases):
        shifted = eqx.tree_at(lambda m: m.prior.out.bias, model, biases)
        return shifted.imagine(state, ACTION, key=KEY).stoch

    biases = model.prior.out.bias
    gradient = np.asarray(jax.jacobian(drawn)(biases))
    raw = np.log(np.expm1(np.asarray(model.imagine(state, ACTION, key=KEY).std, float) - 0.1))
    e = np.zeros(3) if model.config.kind == "rnn" else np.asarray(jr.normal(KEY, (3,)), float)
    close(gradient, np.concatenate([np.eye(3), np.diag(e / (1 + np.exp(-raw)))], axis=1))


def test_everything_begins_with_zeros(model, after):
    initial = model.initial()
    assert jax.tree.map(lambda x: (x.shape, x.dtype), initial) == jax.tree.map(lambda x: (x.shape, x.dtype), after[1])
    assert not any(leaf.any() for leaf in jax.tree.leaves(initial))


def test_the_encoder_is_the_one_given(model):
    vector = {"vector": jnp.linspace(-2, 2, 5)}
    np.testing.assert_array_equal(model.encode(vector), model.encoder(vector))


@pytest.mark.parametrize("wrong", [{"deter": 0}, {"hidden": 0}, {"stoch": 0}, {"kind": "gru"}], ids=str)
def test_impossible_sizes(wrong):
    name, value = next(iter(wrong.items()))
    with pytest.raises(ValueError, match=rf"{name}={value!r}"):
        GaussianRSSMConfig(**wrong)
