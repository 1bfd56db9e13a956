import jax
import jax.numpy as jnp
import numpy as np

from reverie.maths.distributions import unimix
from reverie.maths.divergences import categorical_kl, gaussian_kl

P, Q = jnp.float32(np.random.default_rng(0).normal(size=(2, 3, 5)))


def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_against_brute_force():
    p, q = softmax(np.asarray(P, float)), softmax(np.asarray(Q, float))
    expected = sum(p[i, j] * np.log(p[i, j] / q[i, j]) for i in range(3) for j in range(5))
    np.testing.assert_allclose(categorical_kl(P, Q), expected, rtol=1e-5)


def test_only_the_distributions_count():
    shift = jnp.array([[3.0] * 5, [-1.0] * 5, [100.0] * 5])
    np.testing.assert_allclose(categorical_kl(P + shift, Q - shift), categorical_kl(P, Q), rtol=1e-4)


def test_of_a_distribution_from_itself_is_nothing():
    assert categorical_kl(P, P) == 0
    np.testing.assert_allclose(jax.grad(categorical_kl, argnums=1)(P, P), np.zeros((3, 5)), atol=1e-7)


def test_numbers_of_the_sheet():
    """1 % uniform bounds the divergence: 7.98 nats per variable of 32 classes, whatever the logits."""
    p = unimix(jnp.array([[100.0, 0, 0, 0]]), 0.01)
    np.testing.assert_allclose(categorical_kl(p, jnp.zeros((1, 4))), 1.333887, rtol=1e-5)
    one, other = (unimix(1e4 * jax.nn.one_hot(jnp.array([i]), 32), 0.01) for i in (0, 1))
    np.testing.assert_allclose(categorical_kl(one, other), 7.98, atol=0.005)


def test_of_normals_against_integration():
    """Each of three pairs by itself, and their sum."""
    grid = np.linspace(-30, 30, 60_001)

    def log_density(mean, std):
        return -0.5 * ((grid - mean) / std) ** 2 - np.log(std * np.sqrt(2 * np.pi))

    p, q = [(0.3, 0.4), (-1.0, 2.0), (0.0, 1.0)], [(0.0, 1.0), (2.0, 0.7), (0.5, 1.0)]
    pairs = [(log_density(*one), log_density(*other)) for one, other in zip(p, q, strict=True)]
    each = [np.trapezoid(np.exp(a) * (a - b), grid) for a, b in pairs]
    p, q = jnp.float32(np.transpose(p)), jnp.float32(np.transpose(q))
    for i, expected in enumerate(each):
        one = slice(i, i + 1)
        np.testing.assert_allclose(gaussian_kl(p[0, one], p[1, one], q[0, one], q[1, one]), expected, rtol=1e-5)
    np.testing.assert_allclose(gaussian_kl(*p, *q), sum(each), rtol=1e-5)


def test_of_a_normal_from_itself_is_nothing():
    mean, std = jnp.array([0.3, -7.0]), jnp.array([0.1, 3.0])
    assert gaussian_kl(mean, std, mean, std) == 0
    for gradient in jax.grad(gaussian_kl, argnums=(0, 1, 2, 3))(mean, std, mean, std):
        np.testing.assert_allclose(gradient, np.zeros(2), atol=1e-6)
