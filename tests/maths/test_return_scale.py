import jax
import jax.numpy as jnp
import numpy as np

from reverie.maths.return_scale import ReturnScale

RETURNS = jnp.float32(np.random.default_rng(0).normal(3, 100, size=(7, 15)))


def test_percentiles_are_followed_slowly_from_zero_without_debiasing():
    low, high = np.percentile(np.asarray(RETURNS), [5, 95])
    once = ReturnScale.initial().update(RETURNS, rate=0.01)
    np.testing.assert_allclose([once.low, once.high], [0.01 * low, 0.01 * high], rtol=1e-4)
    twice = once.update(RETURNS, rate=0.01)
    np.testing.assert_allclose([twice.low, twice.high], [0.0199 * low, 0.0199 * high], rtol=1e-4)
    np.testing.assert_allclose(twice.scale(), 0.0199 * (high - low), rtol=1e-4)


def test_small_returns_are_not_amplified():
    assert ReturnScale.initial().scale() == 1
    assert ReturnScale(jnp.float32(-0.2), jnp.float32(0.7)).scale() == 1
    assert ReturnScale(jnp.float32(-2), jnp.float32(3)).scale() == 5


def test_no_gradient_reaches_the_returns():
    def scale(returns):
        return ReturnScale(jnp.float32(-2), jnp.float32(3)).update(returns, rate=0.5).scale()

    np.testing.assert_array_equal(jax.grad(scale)(RETURNS), np.zeros_like(RETURNS))
