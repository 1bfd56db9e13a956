import itertools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.maths.distributions import (
    BoundedNormal,
    Choices,
    action_vector,
    sample_index,
    split_choices,
    straight_through,
    unimix,
)
from reverie.types import ArraySpec

KEY, DRAWS = jr.key(0), 20_000
mixed = jax.jit(unimix, static_argnums=1)


def assert_frequencies(counts, probabilities):
    """Within five standard deviations of what independent draws give."""
    total = np.sum(counts)
    spread = np.sqrt(total * probabilities * (1 - probabilities))
    assert (np.abs(counts - total * probabilities) <= 5 * spread + 1e-3 * total * (probabilities == 0)).all()


# ------------------------------------------------------------------------------------------------------ categorical


def test_unimix_of_the_sheet():
    log_p = np.asarray(unimix(jnp.array([100.0, 0, 0, 0]), 0.01), np.float64)
    np.testing.assert_allclose(np.exp(log_p), [0.9925, 0.0025, 0.0025, 0.0025], rtol=1e-5)
    np.testing.assert_allclose(-np.sum(np.exp(log_p) * log_p), 0.052408, rtol=1e-4)


@given(st.lists(st.floats(-50, 50, width=32), min_size=4, max_size=4))
def test_unimix_is_a_distribution_without_zeros(logits):
    probabilities = np.exp(mixed(jnp.float32(logits), 0.01))
    np.testing.assert_allclose(probabilities.sum(), 1, rtol=1e-5)
    assert probabilities.min() >= 0.0025 * (1 - 1e-5)


def test_unimix_of_nothing_is_the_softmax():
    logits = jnp.array([[1.0, -2, 0.5]])
    np.testing.assert_allclose(unimix(logits, 0.0), jax.nn.log_softmax(logits), rtol=1e-5)


def test_sampling_frequencies():
    probabilities = np.array([[0.5, 0.0, 0.2, 0.3], [0.01, 0.01, 0.01, 0.97]])
    log_p = jnp.log(jnp.float32(np.broadcast_to(probabilities, (DRAWS, 2, 4))))
    index = np.asarray(sample_index(log_p, key=KEY))
    for variable in (0, 1):
        assert_frequencies(np.bincount(index[:, variable], minlength=4), probabilities[variable])
    both = np.bincount(4 * index[:, 0] + index[:, 1], minlength=16)
    assert_frequencies(both, np.outer(*probabilities).reshape(-1))


def test_sampling_stays_inside_whatever_the_rounding():
    """Probabilities that sum to a little more or less than one, as bfloat16 networks give them."""
    for total in (0.98, 1.02):
        log_p = jnp.log(jnp.full((DRAWS, 256), total / 256, jnp.float32))
        index = sample_index(log_p, key=KEY)
        assert (index.min(), index.max()) == (0, 255)


def test_straight_through_samples_and_passes_the_gradient_of_the_probabilities():
    log_p = jax.nn.log_softmax(jr.normal(jr.key(1), (3, 5)))
    weight = jr.normal(jr.key(2), (3, 5))
    sample = straight_through(log_p, key=KEY)
    np.testing.assert_array_equal(sample, jax.nn.one_hot(sample_index(log_p, key=KEY), 5))
    gradient = jax.grad(lambda log_p: jnp.sum(weight * straight_through(log_p, key=KEY)))(log_p)
    np.testing.assert_allclose(gradient, jax.grad(lambda log_p: jnp.sum(weight * jnp.exp(log_p)))(log_p), rtol=1e-6)


# ---------------------------------------------------------------------------------------------------------- actions


@pytest.mark.parametrize(
    ("spec", "action", "expected"),
    [
        (ArraySpec("discrete", (1,), (3,)), np.array([2], np.int32), [0, 0, 1]),
        (ArraySpec("discrete", (3,), (2, 3, 2)), np.array([1, 0, 1], np.int32), [0, 1, 1, 0, 0, 0, 1]),
        (ArraySpec("continuous", (2,)), np.array([0.5, -3], np.float32), [0.5, -3]),
        (ArraySpec("vector", (2,)), np.array([0.5, -3], np.float32), [0.5, -3]),
    ],
)
def test_action_vector(spec, action, expected):
    vector = action_vector(spec, jnp.asarray(action))
    assert vector.dtype == jnp.float32
    np.testing.assert_array_equal(vector, expected)


@pytest.mark.parametrize("classes", [(3,), (2, 3), (2, 1, 4)], ids=str)
def test_choices_side_by_side_are_taken_apart(classes):
    parts = split_choices(jnp.arange(float(sum(classes))), classes)
    assert [len(part) for part in parts] == list(classes)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(sum(classes)))


CLASSES = (2, 3, 4)


@pytest.fixture(scope="module")
def choices():
    return Choices(jr.normal(jr.key(3), (sum(CLASSES),)), CLASSES)


@pytest.fixture(scope="module")
def joint(choices):
    """Every action with its probability, by brute force."""
    parts = np.split(np.asarray(choices.logits, np.float64), np.cumsum(CLASSES)[:-1])
    parts = [np.exp(part) / np.exp(part).sum() for part in parts]
    actions = itertools.product(*(range(n) for n in CLASSES))
    return {action: np.prod([part[i] for part, i in zip(parts, action, strict=True)]) for action in actions}


def test_choices_log_prob(choices, joint):
    actions = jnp.asarray(list(joint), jnp.int32)
    np.testing.assert_allclose(jax.vmap(choices.log_prob)(actions), np.log(list(joint.values())), rtol=1e-5)


def test_choices_entropy(choices, joint):
    p = np.array(list(joint.values()))
    np.testing.assert_allclose(choices.entropy(), -np.sum(p * np.log(p)), rtol=1e-5)


def test_choices_sample(choices, joint):
    drawn = jax.vmap(lambda key: choices.sample(key=key))(jr.split(KEY, DRAWS))
    assert (drawn.shape, drawn.dtype) == ((DRAWS, 3), jnp.int32)
    number = np.ravel_multi_index(np.asarray(drawn).T, CLASSES)
    assert_frequencies(np.bincount(number, minlength=len(joint)), np.array(list(joint.values())))


def normal(mean, std):
    return BoundedNormal.from_outputs(jnp.float32(mean), jnp.float32(std))


def test_bounded_normal_of_the_sheet():
    np.testing.assert_allclose(normal([0.0], [0.0]).std, [0.892717], rtol=1e-6)
    np.testing.assert_allclose(normal([0.0], [-1e3]).entropy(), -0.883647, rtol=1e-5)
    np.testing.assert_allclose(normal([0.0], [1e3]).entropy(), 1.418939, rtol=1e-6)


def test_bounded_normal_is_bounded():
    extreme = normal([-1e3, 1e3, 0.3], [-1e3, 1e3, 0.0])
    np.testing.assert_allclose(extreme.mean, [-1, 1, np.tanh(0.3)], rtol=1e-6)
    np.testing.assert_allclose(extreme.std[:2], [0.1, 1.0], rtol=1e-6)


def test_bounded_normal_density_and_entropy_are_sums_over_dimensions():
    distribution, action = normal([0.3, -1.0], [-2.0, 0.5]), np.array([1.7, -2.0])
    mean, std = np.asarray(distribution.mean, float), np.asarray(distribution.std, float)
    density = np.exp(-((action - mean) ** 2) / (2 * std**2)) / (std * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(distribution.log_prob(jnp.float32(action)), np.log(density).sum(), rtol=1e-5)
    entropy = np.sum(np.log(std) + 0.5 * np.log(2 * np.pi) + 0.5)
    np.testing.assert_allclose(distribution.entropy(), entropy, rtol=1e-5)


def test_bounded_normal_samples_are_not_squashed():
    distribution = normal([0.9, -0.5], [3.0, -2.0])
    drawn = np.asarray(jax.vmap(lambda key: distribution.sample(key=key))(jr.split(KEY, DRAWS)))
    np.testing.assert_allclose(drawn.mean(0), distribution.mean, atol=5 / np.sqrt(DRAWS))
    np.testing.assert_allclose(drawn.std(0), distribution.std, rtol=0.03)
    assert drawn.max() > 2
