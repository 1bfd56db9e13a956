"""Observations of every kind at once: what the networks are given, what comes back, and what it costs to be wrong."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from parameters import random_parameters

from reverie.models.observation import ObservationDecoder, ObservationEncoder, canvas, names, reconstruction_loss
from reverie.types import ArraySpec

SPECS = {
    "token": ArraySpec("discrete", (1,), (3,)),
    "front": ArraySpec("image", (6, 9, 3)),
    "pose": ArraySpec("vector", (2,)),
    "above": ArraySpec("image", (7, 4, 1)),
    "many": ArraySpec("discrete", (2,), (2, 4)),
}
VECTORS = {name: SPECS[name] for name in ("token", "pose", "many")}
IMAGES = {name: SPECS[name] for name in ("front", "above")}
SIZES = {"units": 8, "depth": 4, "multipliers": (2, 4)}
STATE = {"deter": 16, "latent": 6, "blocks": 4}
DETER, STOCH = jnp.linspace(-1, 1, 16), jnp.asarray(np.eye(3, dtype=np.float32)[[0, 2]])

pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 4), np.uint8)
OBSERVATION = {
    "token": jnp.array([1], jnp.int32),
    "front": jnp.asarray(pixels[:6, :, :3]),
    "pose": jnp.array([np.e - 1, -3.0], jnp.float32),
    "above": jnp.asarray(pixels[:, :4, 3:]),
    "many": jnp.array([0, 3], jnp.int32),
}


class Given(eqx.Module):
    """Answers with what it was given, flattened."""

    def __call__(self, *inputs):
        return jnp.concatenate([x.reshape(-1) for x in inputs])


class Says(eqx.Module):
    """Always answers the same."""

    answer: jnp.ndarray

    def __call__(self, *_):
        return self.answer


def encoder(specs, dtype="float32"):
    return random_parameters(ObservationEncoder, specs, **SIZES, dtype=dtype)


def decoder(specs):
    return random_parameters(ObservationDecoder, specs, **STATE, **SIZES)


def test_order_and_canvas():
    assert names(SPECS, image=False) == ("many", "pose", "token")
    assert names(SPECS, image=True) == ("above", "front")
    assert canvas(SPECS) == (7, 9, 4)


def test_what_the_encoder_s_perceptron_is_given():
    """Choices one-hot, numbers symlogged, by name: many (2 + 4), pose (2), token (3)."""
    probed = eqx.tree_at(lambda e: e.mlp, encoder(VECTORS), Given())
    np.testing.assert_allclose(
        probed(OBSERVATION), [1, 0, 0, 0, 0, 1, 1, -np.log(4), 0, 1, 0], rtol=1e-6
    )  # fmt: skip


def test_what_the_encoder_s_convolutions_are_given():
    """Images on top of each other by name, at the top left of the canvas, centred; what is beyond an image is zero."""
    probed = eqx.tree_at(lambda e: e.image, encoder(IMAGES), Given())
    expected = np.zeros((7, 9, 4))
    expected[:, :4, :1] = pixels[:, :4, 3:] / 255 - 0.5
    expected[:6, :, 1:] = pixels[:6, :, :3] / 255 - 0.5
    np.testing.assert_allclose(probed(OBSERVATION).reshape(7, 9, 4), expected, atol=1e-6)


def test_the_code_is_the_vector_part_then_the_image_part():
    both = encoder(SPECS)
    vector = eqx.tree_at(lambda e: e.image, both, None, is_leaf=lambda x: x is None)(OBSERVATION)
    image = eqx.tree_at(lambda e: e.mlp, both, None, is_leaf=lambda x: x is None)(OBSERVATION)
    assert (len(vector), len(image)) == (8, 16 * 2 * 3)
    np.testing.assert_array_equal(both(OBSERVATION), jnp.concatenate([vector, image]))


@pytest.mark.parametrize("specs", [SPECS, VECTORS, IMAGES], ids=["all", "vectors", "images"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_round_trip_of_shapes(specs, dtype):
    """Whatever is observed: a vector of the announced width and dtype, and back to arrays as the world shows them."""
    code = (encode := encoder(specs, dtype))(OBSERVATION)
    assert (code.shape, code.dtype) == ((encode.outputs,), dtype)
    decode = decoder(specs)
    outputs = decode(DETER.astype(dtype), STOCH)
    assert {name: (x.shape, x.dtype) for name, x in outputs.items()} == {
        name: (spec.shape if spec.kind == "image" else (spec.width,), jnp.float32) for name, spec in specs.items()
    }
    shown = decode.observation(outputs)
    assert {name: (x.shape, x.dtype) for name, x in shown.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in specs.items()
    }


def test_what_the_decoder_reads():
    """The perceptron reads [z, h], then one layer per name."""
    decode = eqx.tree_at(lambda d: d.mlp, decoder(VECTORS), Given())
    decode = eqx.tree_at(lambda d: d.vectors, decode, dict.fromkeys(VECTORS, Given()))
    outputs = decode(DETER, STOCH)
    np.testing.assert_array_equal(outputs["pose"], [1, 0, 0, 0, 0, 1, *DETER])


def test_images_are_cut_out_of_the_canvas():
    canvas = jnp.float32(pixels / 255)
    outputs = eqx.tree_at(lambda d: d.image, decoder(IMAGES), Says(canvas))(DETER, STOCH)
    np.testing.assert_array_equal(outputs["above"], canvas[:, :4, :1])
    np.testing.assert_array_equal(outputs["front"], canvas[:6, :, 1:])


def perfect():
    """Outputs that say exactly OBSERVATION."""
    return {
        "token": jnp.array([0.0, 50, 0]),
        "front": jnp.float32(pixels[:6, :, :3] / 255),
        "pose": jnp.array([1, -np.log(4)], jnp.float32),
        "above": jnp.float32(pixels[:, :4, 3:] / 255),
        "many": jnp.array([50.0, 0, 0, 0, 0, 50]),
    }


def test_perfect_outputs_show_the_observation_and_cost_nothing():
    shown = decoder(SPECS).observation(perfect())
    for name, spec in SPECS.items():
        np.testing.assert_allclose(shown[name], OBSERVATION[name], rtol=1e-6)
        np.testing.assert_allclose(reconstruction_loss(spec, perfect()[name], OBSERVATION[name]), 0, atol=1e-8)


def test_losses_are_sums_over_elements():
    """0.1 off at each of 7 * 4 pixels; 1 and 2 off; and choices at even odds, ln 2 + ln 4, ln 3."""
    outputs = perfect()
    wrong = {
        "above": (outputs["above"] + 0.1, 28 * 0.01),
        "pose": (outputs["pose"] + jnp.array([1.0, -2.0]), 5),
        "many": (jnp.array([7.0, 7, -1, -1, -1, -1]), np.log(8)),
        "token": (jnp.zeros(3), np.log(3)),
    }
    for name, (output, loss) in wrong.items():
        np.testing.assert_allclose(reconstruction_loss(SPECS[name], output, OBSERVATION[name]), loss, rtol=1e-5)


def test_cross_entropy_of_unequal_logits():
    expected = -np.log(np.exp(2) / (np.exp(1) + np.exp(2) + np.exp(0.5)))
    loss = reconstruction_loss(SPECS["token"], jnp.array([1.0, 2, 0.5]), OBSERVATION["token"])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_pixels_are_rounded_and_stay_in_their_range():
    spec = {"image": ArraySpec("image", (1, 3, 1))}
    shown = decoder(spec).observation({"image": jnp.array([[[-1.0], [0.5 + 1e-4], [7.0]]])})
    assert shown["image"].reshape(-1).tolist() == [0, 128, 255]
