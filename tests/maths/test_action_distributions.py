import itertools
from statistics import NormalDist

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.maths import action_distributions
from reverie.maths.action_distributions import MARGIN, OneHot, TanhNormal, TruncatedNormal

KEY, DRAWS = jr.key(0), 20_000
STANDARD = NormalDist()
cdf, density, quantile = (np.vectorize(f, otypes=[float]) for f in (STANDARD.cdf, STANDARD.pdf, STANDARD.inv_cdf))


def assert_frequencies(counts, probabilities):
    """Within five standard deviations of what independent draws give."""
    total = np.sum(counts)
    spread = np.sqrt(total * probabilities * (1 - probabilities))
    assert (np.abs(counts - total * probabilities) <= 5 * spread).all()


def assert_distributed(drawn, cumulative):
    """One number per draw, counted in bins of [-1, 1]."""
    edges, inner = np.linspace(-1, 1, 21), slice(1, -1)
    counts = np.histogram(drawn, edges)[0]
    assert counts.sum() == len(drawn), "none outside"
    assert_frequencies(counts, np.diff(cumulative(edges[inner]), prepend=0, append=1))


def draws(distribution):
    return np.asarray(jax.vmap(lambda key: distribution.sample(key=key))(jr.split(KEY, DRAWS)))


def along(function, values):
    return np.asarray(jax.vmap(function)(jnp.asarray(values, jnp.float32)[:, None]), float)


# ------------------------------------------------------------------------------------------------------ tanh normal


def tanh_normal(mean, std):
    return TanhNormal(jnp.float32(mean), jnp.float32(std))


def test_tanh_normal_of_the_sheet():
    """ln(e^5 - 1) = 4.993239 makes a standard deviation of 5 of nothing."""
    first = TanhNormal.from_outputs(jnp.zeros(4))
    np.testing.assert_allclose(first.std, [5 + 1e-4] * 2, rtol=1e-6)
    np.testing.assert_array_equal(first.mean, [0, 0])


def test_tanh_normal_s_outputs_are_means_then_deviations():
    outputs = np.array([1.0, -40.0, 2.0, -1000.0, -3.0, 1.0])
    made = TanhNormal.from_outputs(jnp.float32(outputs))
    np.testing.assert_allclose(made.mean, 5 * np.tanh(outputs[:3] / 5), rtol=1e-5)
    np.testing.assert_allclose(made.std, np.log1p(np.exp(outputs[3:] + 4.99324)) + 1e-4, rtol=1e-5)


def test_tanh_normal_s_density_integrates_to_one():
    grid = np.linspace(-1, 1, 20_002)[1:-1]
    p = np.exp(along(tanh_normal([0.3], [0.4]).log_prob, grid))
    np.testing.assert_allclose(np.trapezoid(p, grid), 1, rtol=1e-4)


def test_tanh_normal_s_density_is_a_sum_over_dimensions():
    mean, std, action = np.array([0.3, -2.0]), np.array([0.4, 5.0]), np.array([-0.5, 0.999])
    p = density((np.arctanh(action) - mean) / std) / std / (1 - action**2)
    np.testing.assert_allclose(
        tanh_normal(mean, std).log_prob(jnp.float32(action)), np.log(p).sum(), rtol=1e-4
    )  # fmt: skip


def test_tanh_normal_s_samples():
    drawn = draws(tanh_normal([0.3, -2.0], [0.4, 5.0]))
    for i, (mean, std) in enumerate([(0.3, 0.4), (-2.0, 5.0)]):
        assert_distributed(drawn[:, i], lambda a, m=mean, s=std: cdf((np.arctanh(a) - m) / s))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 5 / np.sqrt(DRAWS)


def test_tanh_normal_s_gradient_is_the_path_s():
    """a = tanh(m + s e): da/dm = 1 - a^2, da/ds = (1 - a^2) e."""
    distribution = tanh_normal([0.3, -0.4], [0.4, 0.9])
    gradient = jax.jacobian(lambda it: it.sample(key=KEY))(distribution)
    a = np.asarray(distribution.sample(key=KEY), float)
    e = (np.arctanh(a) - np.asarray(distribution.mean)) / np.asarray(distribution.std)
    np.testing.assert_allclose(gradient.mean, np.diag(1 - a**2), rtol=1e-4)
    np.testing.assert_allclose(gradient.std, np.diag((1 - a**2) * e), rtol=1e-4)


def test_tanh_normal_at_the_very_ends():
    distribution = tanh_normal([5.0], [5.0])
    for end in (-1.0, 1.0):
        value, gradient = jax.value_and_grad(lambda it, end=end: it.log_prob(jnp.full(1, end)))(distribution)
        inside = np.arctanh(end * (1 - MARGIN))
        expected = np.log(density((inside - 5) / 5) / 5) - np.log(1 - (1 - MARGIN) ** 2)
        np.testing.assert_allclose(value, expected, atol=0.1)
        assert np.isfinite([gradient.mean, gradient.std]).all()


def test_tanh_normal_s_mode_is_the_most_likely_of_its_candidates():
    """Close to the true one where the distribution is narrow, at an end where it is wide."""
    narrow = tanh_normal([0.5], [0.2])
    grid = np.linspace(-0.9999, 0.9999, 20_001)
    best = grid[np.argmax(along(narrow.log_prob, grid))]
    modes = along(lambda i: narrow.mode(key=jr.fold_in(KEY, i[0].astype(int))), np.arange(50))
    assert np.abs(modes - best).max() < 0.02
    assert len(np.unique(modes)) > 10
    wide = jax.vmap(lambda key: TanhNormal.from_outputs(jnp.array([9.0, 0.0])).mode(key=key))(jr.split(KEY, 20))
    assert wide.min() > 0.999


# ------------------------------------------------------------------------------------------------- truncated normal

CASES = {"middle": (0.0, 1.1), "end": (0.999, 0.1), "left": (-0.8, 0.3), "flat": (0.3, 2.1)}


@pytest.fixture(params=CASES)
def case(request):
    """A truncated normal of one number, its mean and standard deviation."""
    mean, std = CASES[request.param]
    return TruncatedNormal(jnp.float32([mean]), jnp.float32([std])), mean, std


def cut(a, mean, std):
    """The density, written out."""
    mass = cdf((1 - mean) / std) - cdf((-1 - mean) / std)
    return density((a - mean) / std) / (std * mass)


def test_truncated_normal_s_outputs_are_means_then_deviations():
    made = TruncatedNormal.from_outputs(jnp.array([0.5, -30.0, 0.0, 0.0, -100.0, 100.0]))
    np.testing.assert_allclose(made.mean, [np.tanh(0.5), -1, 0], rtol=1e-6)
    np.testing.assert_allclose(made.std, [1.1, 0.1, 2.1], rtol=1e-6)
    np.testing.assert_allclose(
        TruncatedNormal.from_outputs(jnp.array([0.0, 1.5])).std, [2 / (1 + np.exp(-0.75)) + 0.1], rtol=1e-6
    )  # fmt: skip


def test_truncated_normal_s_density(case):
    distribution, mean, std = case
    grid = np.linspace(-1, 1, 10_001)
    log_p = along(distribution.log_prob, grid)
    near = np.abs(grid - mean) < 4 * std
    np.testing.assert_allclose(np.exp(log_p)[near], cut(grid, mean, std)[near], rtol=1e-4)
    np.testing.assert_allclose(np.trapezoid(np.exp(log_p), grid), 1, rtol=1e-4)
    np.testing.assert_allclose(distribution.entropy(), -np.trapezoid(np.exp(log_p) * log_p, grid), atol=1e-4)


def test_truncated_normal_is_a_sum_over_dimensions():
    both = TruncatedNormal(jnp.float32([0.0, -0.8]), jnp.float32([1.1, 0.3]))
    each = [TruncatedNormal(both.mean[i : i + 1], both.std[i : i + 1]) for i in (0, 1)]
    action = jnp.array([0.9, -0.7])
    log_p = [one.log_prob(action[i : i + 1]) for i, one in enumerate(each)]
    np.testing.assert_allclose(both.log_prob(action), sum(log_p), rtol=1e-5)
    np.testing.assert_allclose(both.entropy(), sum(one.entropy() for one in each), rtol=1e-5)


def test_truncated_normal_s_samples(case):
    distribution, mean, std = case
    low, high = cdf((-1 - mean) / std), cdf((1 - mean) / std)
    drawn = draws(distribution)
    assert_distributed(drawn[:, 0], lambda a: (cdf((a - mean) / std) - low) / (high - low))
    assert np.abs(drawn).max() <= np.float32(1 - MARGIN)


def inverted(u, mean, std):
    """The sample that a number in [0, 1] makes, in double precision."""
    low, high = cdf((-1 - mean) / std), cdf((1 - mean) / std)
    return mean + std * quantile(low + u * (high - low))


def test_truncated_normal_s_gradient_is_the_path_s(case, monkeypatch):
    """Against finite differences of the sample at fixed random numbers."""
    distribution, mean, std = case
    for u in (0.02, 0.4, 0.97):
        monkeypatch.setattr(action_distributions.jr, "uniform", lambda key, shape, u=u: jnp.full(shape, u))
        value, gradient = distribution.sample(key=KEY), jax.jacobian(lambda it: it.sample(key=KEY))(distribution)
        np.testing.assert_allclose(value, [inverted(u, mean, std)], atol=2e-6)
        by_mean = (inverted(u, mean + 1e-5, std) - inverted(u, mean - 1e-5, std)) / 2e-5
        by_std = (inverted(u, mean, std + 1e-5) - inverted(u, mean, std - 1e-5)) / 2e-5
        np.testing.assert_allclose(gradient.mean[0, 0], by_mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(gradient.std[0, 0], by_std, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
def test_truncated_normal_at_the_very_ends(case, monkeypatch, u):
    """However extreme the draw: inside, with a gradient that is a number, that of a quantile: none where it is an end.

    Far from the mean the quantile is as far as single precision goes, and moves with the mean.
    """
    monkeypatch.setattr(action_distributions.jr, "uniform", lambda key, shape: jnp.full(shape, u))
    distribution, mean, std = case
    value, gradient = distribution.sample(key=KEY), jax.jacobian(lambda it: it.sample(key=KEY))(distribution)
    end = -1.0 if u == 0 else 1.0
    reachable = abs(end - mean) < 5 * std
    farthest = quantile(2**-23) * std
    np.testing.assert_allclose(value, [np.clip(end, mean + farthest, mean - farthest)], atol=1e-3)
    assert abs(float(value[0])) <= np.float32(1 - MARGIN)
    np.testing.assert_allclose(gradient.mean[0, 0], 0.0 if reachable else 1.0, atol=0.1)
    assert np.isfinite(gradient.std).all()


def test_a_clipped_sample_has_the_gradient_of_the_unclipped_one(monkeypatch):
    """With a margin that clips what is otherwise inside."""
    distribution = TruncatedNormal(jnp.float32([0.5]), jnp.float32([0.5]))
    monkeypatch.setattr(action_distributions.jr, "uniform", lambda key, shape: jnp.full(shape, 0.5))
    sample = lambda it: it.sample(key=KEY)
    whole, gradient = sample(distribution), jax.jacobian(sample)(distribution)
    monkeypatch.setattr(action_distributions, "MARGIN", 0.9)
    np.testing.assert_allclose(sample(distribution), [0.1], rtol=1e-5)
    assert whole > 0.2
    jax.tree.map(np.testing.assert_array_equal, jax.jacobian(sample)(distribution), gradient)
    assert np.abs(gradient.mean).max() > 0.1


def test_truncated_normal_s_mode_is_its_mean(case):
    distribution, mean, _ = case
    np.testing.assert_array_equal(distribution.mode(key=KEY), np.float32([mean]))


# ---------------------------------------------------------------------------------------------------------- one-hot

CLASSES = (2, 3, 4)
SPLIT = np.cumsum(CLASSES)[:-1]


@pytest.fixture(scope="module")
def choices():
    return OneHot(jr.normal(jr.key(3), (sum(CLASSES),)), CLASSES)


@pytest.fixture(scope="module")
def joint(choices):
    """Every action with its probability, by brute force."""
    parts = [np.exp(part) / np.exp(part).sum() for part in np.split(np.asarray(choices.logits, float), SPLIT)]
    actions = itertools.product(*(range(n) for n in CLASSES))
    return {action: np.prod([part[i] for part, i in zip(parts, action, strict=True)]) for action in actions}


def as_vector(action):
    return np.concatenate([np.eye(n, dtype=np.float32)[i] for i, n in zip(action, CLASSES, strict=True)])


def test_one_hot_density_and_entropy(choices, joint):
    vectors, p = jnp.asarray(np.stack(list(map(as_vector, joint)))), np.array(list(joint.values()))
    np.testing.assert_allclose(jax.vmap(choices.log_prob)(vectors), np.log(p), rtol=1e-5)
    np.testing.assert_allclose(choices.entropy(), -np.sum(p * np.log(p)), rtol=1e-5)


def test_one_hot_samples(choices, joint):
    drawn = draws(choices)
    assert drawn.dtype == np.float32
    parts = np.split(drawn, SPLIT, axis=1)
    for part in parts:
        np.testing.assert_array_equal(np.sort(part, axis=1)[:, :-1], np.zeros_like(part[:, 1:]))
        np.testing.assert_array_equal(part.sum(1), np.ones(DRAWS))
    number = np.ravel_multi_index([part.argmax(1) for part in parts], CLASSES)
    assert_frequencies(np.bincount(number, minlength=len(joint)), np.array(list(joint.values())))


def test_one_hot_samples_have_the_gradient_of_the_probabilities(choices):
    weight = jr.normal(jr.key(4), (sum(CLASSES),))
    through = jax.grad(lambda logits: weight @ OneHot(logits, CLASSES).sample(key=KEY))(choices.logits)
    p = np.split(
        np.asarray(jnp.concatenate([jax.nn.softmax(x) for x in np.split(choices.logits, SPLIT)]), float), SPLIT
    )
    w = np.split(np.asarray(weight, float), SPLIT)
    expected = np.concatenate([q * (v - q @ v) for q, v in zip(p, w, strict=True)])
    np.testing.assert_allclose(through, expected, rtol=1e-4, atol=1e-6)


def test_one_hot_mode(choices, joint):
    np.testing.assert_array_equal(choices.mode(key=KEY), as_vector(max(joint, key=joint.get)))
