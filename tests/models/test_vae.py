"""V of World Models: the sheet's sizes and counts, and its loss on numbers worked out by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from reverie.models import vae

KEY = jr.key(0)


def count(model):
    return sum(leaf.size for leaf in jax.tree.leaves(model))


@pytest.mark.parametrize(("latents", "parameters"), [(32, 4_348_547), (64, 4_446_915)])
def test_parameters_of_the_paper(latents, parameters):
    assert count(eqx.filter_eval_shape(vae.VAE, latents, key=KEY)) == parameters


def test_maps_of_the_paper():
    """31, 14, 6, 2 down; 5, 13, 30, 64 up."""
    model = eqx.filter_eval_shape(vae.VAE, 32, key=KEY)
    x, sides = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32), []
    for layer in model.convolutions:
        x = eqx.filter_eval_shape(layer, x)
        sides.append(x.shape[0])
    assert x.shape == (2, 2, 256)
    x = jax.ShapeDtypeStruct((1, 1, 1024), jnp.float32)
    for layer in model.transposed:
        x = eqx.filter_eval_shape(layer, x)
        sides.append(x.shape[0])
    assert sides == [31, 14, 6, 2, 5, 13, 30, 64]
    assert x.shape == (64, 64, 3)


@pytest.fixture(scope="module")
def model():
    return vae.VAE(4, key=KEY)


@pytest.fixture(scope="module")
def both(model):
    """Mean, log-variance and losses of one frame."""
    frame = jnp.asarray(np.random.default_rng(0).uniform(size=vae.SHAPE), jnp.float32)
    return frame, *eqx.filter_jit(model.encode)(frame), eqx.filter_jit(vae.losses)(model, frame, key=KEY)


def test_reconstruction_is_the_sum_of_squares_over_pixels_and_channels(model, both):
    frame, mean, log_variance, losses = both
    again = eqx.filter_jit(model.decode)(vae.sample(mean, log_variance, key=KEY))
    assert again.shape == frame.shape
    assert 0 < again.min() <= again.max() < 1
    np.testing.assert_allclose(losses["reconstruction"], ((frame - again) ** 2).sum(), rtol=1e-5)


def test_divergence_is_floored_for_the_whole_image(model, both):
    frame, *_, losses = both
    assert losses["divergence"] == 2.0  # half a nat for each of 4 latents: an untrained encoder says almost nothing
    apart = eqx.tree_at(lambda it: it.mean.bias, model, jnp.asarray([3.0, 0, 0, 0]))
    mean, log_variance = eqx.filter_jit(apart.encode)(frame)
    expected = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum()
    assert expected > 4
    np.testing.assert_allclose(eqx.filter_jit(vae.losses)(apart, frame, key=KEY)["divergence"], expected, rtol=1e-5)


def test_samples_have_the_mean_and_the_variance():
    mean, log_variance = jnp.full((20_000, 2), 3.0), jnp.log(jnp.full((20_000, 2), 0.25))
    samples = np.asarray(vae.sample(mean, log_variance, key=KEY))
    np.testing.assert_allclose(samples.mean(axis=0), 3, atol=0.02)
    np.testing.assert_allclose(samples.std(axis=0), 0.5, atol=0.02)


def test_it_learns_to_tell_two_frames_apart():
    """With Adam, the two are nearly right within some steps: a single answer for both would lose 3,072 on average."""
    frames = jnp.stack([jnp.zeros(vae.SHAPE), jnp.ones(vae.SHAPE)])
    optimiser = optax.adam(1e-3)

    def loss(model, key):
        terms = jax.vmap(lambda frame, k: vae.losses(model, frame, key=k))(frames, jr.split(key, 2))
        return sum(jnp.mean(term) for term in terms.values())

    @jax.jit
    def step(model, state, key):
        value, gradient = jax.value_and_grad(loss)(model, key)
        with jax.numpy_dtype_promotion("standard"):  # optax's own arithmetic
            change, state = optimiser.update(gradient, state)
        return value, eqx.apply_updates(model, change), state

    model = vae.VAE(4, key=KEY)
    state, seen = optimiser.init(model), []
    for key in jr.split(KEY, 60):
        value, model, state = step(model, state, key)
        seen.append(float(value))
    assert seen[0] == pytest.approx(3072, rel=0.05)
    assert np.mean(seen[-5:]) < 300
