import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.maths.scaling import BINS, symexp, symlog, two_hot, two_hot_bins, two_hot_loss, two_hot_mean

MIDDLE = BINS // 2


@jax.jit
def code(target):
    """The two-hot code with all its zeros."""
    lower, weight = two_hot(target)
    return jax.nn.one_hot(lower, BINS) * (1 - weight) + jax.nn.one_hot(lower + 1, BINS) * weight


@given(st.floats(-1e6, 1e6, width=32))
def test_symexp_undoes_symlog(x):
    np.testing.assert_allclose(symexp(symlog(jnp.float32(x))), x, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("x", "expected"), [(0.0, 0.0), (np.e - 1, 1.0), (1 - np.e, -1.0), (1e-8, 1e-8)])
def test_symlog(x, expected):
    np.testing.assert_allclose(symlog(jnp.float32(x)), expected, rtol=1e-6)


def test_bins():
    bins = two_hot_bins()
    assert (bins.shape, bins.dtype) == ((255,), np.float32)
    np.testing.assert_allclose(bins[[0, 126, 128, 129]], [-4.851652e8, -0.170558, 0.170558, 0.370205], rtol=2e-6)
    np.testing.assert_array_equal(bins, -bins[::-1])
    assert bins[MIDDLE] == 0
    assert (np.diff(bins) > 0).all()


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        (1.0, {131: 0.617329, 132: 0.382671}),
        (-1.0, {122: 0.382671, 123: 0.617329}),
        (100.0, {156: 0.710530, 157: 0.289470}),
        (1e9, {254: 1.0}),
        (-1e9, {0: 1.0}),
        (0.0, {127: 1.0}),
    ],
)
def test_two_hot_of_the_sheet(target, weights):
    expected = np.zeros(BINS)
    expected[list(weights)] = list(weights.values())
    np.testing.assert_allclose(code(target), expected, atol=1e-5)


@given(st.floats(-1e6, 1e6, width=32))
def test_the_mean_of_a_code_is_its_target(target):
    weights = np.asarray(code(target), np.float64)
    np.testing.assert_allclose(weights @ two_hot_bins(), target, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-6)
    used = np.flatnonzero(weights)
    assert (weights >= 0).all()
    assert used[-1] - used[0] <= 1


@pytest.mark.parametrize("index", [0, 1, 60, 127, 128, 200, 254])
def test_a_bin_is_its_own_code(index):
    np.testing.assert_array_equal(code(two_hot_bins()[index]), np.eye(BINS)[index])


def test_uniform_logits_predict_exactly_0():
    """In float32 the obvious sum of the same products gives -0.25: the bins reach 4.85e8."""
    assert two_hot_mean(jnp.zeros(BINS)) == 0
    products = np.asarray(jax.nn.softmax(jnp.zeros(BINS))) * two_hot_bins()
    assert np.cumsum(products, dtype=np.float32)[-1] == -0.25


@pytest.mark.parametrize("peak", [0.5, 0.0], ids=["one peak", "everywhere"])
def test_mean_against_brute_force(peak):
    logits = np.random.default_rng(0).normal(size=BINS) - peak * np.abs(np.arange(BINS) - MIDDLE - 20)
    weights = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(two_hot_mean(jnp.float32(logits)), weights @ two_hot_bins().astype(float), rtol=1e-4)


def test_loss_is_the_cross_entropy():
    logits = np.random.default_rng(1).normal(size=BINS)
    log_probabilities = logits - np.log(np.exp(logits).sum())
    expected = -(0.617329 * log_probabilities[131] + 0.382671 * log_probabilities[132])
    np.testing.assert_allclose(two_hot_loss(jnp.float32(logits), jnp.float32(1)), expected, rtol=1e-5)
    np.testing.assert_allclose(two_hot_loss(jnp.zeros(BINS), jnp.float32(7)), np.log(BINS), rtol=1e-6)


def test_descending_the_loss_finds_the_target():
    """The gradient is p - twohot: at the code's own logarithm it vanishes."""
    target = jnp.float32(1.0)
    at_code = jnp.log(jnp.maximum(code(target), 1e-20))
    np.testing.assert_allclose(jax.grad(two_hot_loss)(at_code, target), np.zeros(BINS), atol=1e-6)
    np.testing.assert_allclose(two_hot_mean(at_code), 1.0, rtol=1e-5)
