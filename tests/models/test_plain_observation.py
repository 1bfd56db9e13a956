"""Observations of every kind at once, for networks without normalisation: what these are given, and what it costs."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.models.plain_observation import PlainDecoder, PlainEncoder, dequantised
from reverie.nn.pixels import PixelDecoder, PixelEncoder
from reverie.types import ArraySpec

SPECS = {
    "token": ArraySpec("discrete", (1,), (3,)),
    "front": ArraySpec("image", (8, 11, 3)),
    "pose": ArraySpec("vector", (2,)),
    "above": ArraySpec("image", (9, 8, 1)),
    "many": ArraySpec("discrete", (2,), (2, 4)),
}
VECTORS = {name: SPECS[name] for name in ("token", "pose", "many")}
IMAGES = {name: SPECS[name] for name in ("front", "above")}
SHAPE = {"units": 6, "layers": 2, "depth": 2, "activation": "elu", "pixel_activation": "relu"}
KEY, FEATURES = jr.key(0), jnp.linspace(-1, 1, 7)
close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)

pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 4), np.uint8)
OBSERVATION = {
    "token": jnp.array([1], jnp.int32),
    "front": jnp.asarray(pixels[:8, :, 1:]),
    "pose": jnp.array([1.7, -300.0], jnp.float32),
    "above": jnp.asarray(pixels[:, :8, :1]),
    "many": jnp.array([0, 3], jnp.int32),
}


class Given(eqx.Module):
    """Answers with what it was given, flattened."""

    def __call__(self, x):
        return x.reshape(-1)


class Says(eqx.Module):
    """Always answers the same."""

    answer: jnp.ndarray

    def __call__(self, _):
        return self.answer


def encoder(specs, **more):
    return random_parameters(PlainEncoder, specs, **SHAPE, **more)


def decoder(specs, **more):
    return random_parameters(PlainDecoder, specs, 7, **SHAPE, **more)


def test_what_the_encoder_s_perceptron_is_given():
    """Choices one-hot, numbers as they are, by name: many (2 + 4), pose (2), token (3)."""
    probed = eqx.tree_at(lambda e: e.mlp, encoder(VECTORS), Given())
    close(probed(OBSERVATION), [1, 0, 0, 0, 0, 1, 1.7, -300, 0, 1, 0])


@pytest.mark.parametrize("five_bits", [False, True])
def test_what_the_encoder_s_convolutions_are_given(five_bits):
    """Images on top of each other by name, at the top left, centred; what is beyond an image is zero."""
    probed = eqx.tree_at(lambda e: e.image, encoder(IMAGES, five_bits=five_bits), Given())
    centred = pixels // 8 / 32 + 1 / 64 - 0.5 if five_bits else pixels / 255 - 0.5
    expected = np.zeros((9, 11, 4))
    expected[:, :8, :1], expected[:8, :, 1:] = centred[:, :8, :1], centred[:8, :, 1:]
    close(probed(OBSERVATION).reshape(9, 11, 4), expected)


def test_the_code_is_the_vector_part_then_the_image_part():
    both = encoder(SPECS)
    without = lambda part: eqx.tree_at(part, both, None, is_leaf=lambda x: x is None)
    parts = [without(part)(OBSERVATION) for part in (lambda e: e.image, lambda e: e.mlp)]
    assert [len(part) for part in parts] == [6, 3 * 4 * 2]
    np.testing.assert_array_equal(both(OBSERVATION), jnp.concatenate(parts))


@pytest.mark.parametrize("norm", [False, True])
def test_layers_are_as_told(norm):
    """Hidden ones of vectors alone, of which the last is the code; convolutions with their own activation."""
    encode, decode = encoder(SPECS, norm=norm), decoder(SPECS, norm=norm)
    for part in (encode, decode):
        assert (len(part.mlp.hidden), len(part.mlp.norms), part.mlp.out) == (2, 2 * norm, None)
        assert (part.mlp.activation, part.image.activation) == ("elu", "relu")
    for part in (encode.image, decode.image):
        assert isinstance(part, PixelEncoder | PixelDecoder)
    assert decode.image.shape == (9, 11, 4)


@pytest.mark.parametrize("specs", [SPECS, VECTORS, IMAGES], ids=["all", "vectors", "images"])
def test_round_trip_of_shapes(specs):
    """Whatever is observed: a vector of the announced width, and back to arrays as the world shows them."""
    encode, decode = encoder(specs), decoder(specs)
    code, outputs = jax.eval_shape(encode, OBSERVATION), jax.eval_shape(decode, FEATURES)
    assert (code.shape, code.dtype) == ((encode.outputs,), jnp.float32)
    assert {name: (x.shape, x.dtype) for name, x in outputs.items()} == {
        name: (spec.shape if spec.kind == "image" else (spec.width,), jnp.float32) for name, spec in specs.items()
    }
    shown = jax.eval_shape(decode.observation, outputs)
    assert {name: (x.shape, x.dtype) for name, x in shown.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in specs.items()
    }
    losses = jax.eval_shape(decode.losses, outputs, {name: OBSERVATION[name] for name in specs})
    assert {name: loss.shape for name, loss in losses.items()} == dict.fromkeys(specs, ())


def test_what_the_decoder_s_layers_read():
    """One linear layer for each name, on one perceptron."""
    decode = decoder(VECTORS)
    outputs, hidden = decode(FEATURES), decode.mlp(FEATURES)
    for name, layer in decode.vectors.items():
        close(outputs[name], hidden @ np.asarray(layer.weight) + np.asarray(layer.bias))


def test_images_are_cut_out_of_the_canvas():
    canvas = jnp.float32(pixels / 255)
    outputs = eqx.tree_at(lambda d: d.image, decoder(IMAGES), Says(canvas))(FEATURES)
    np.testing.assert_array_equal(outputs["above"], canvas[:, :8, :1])
    np.testing.assert_array_equal(outputs["front"], canvas[:8, :, 1:])


def perfect():
    """Outputs that say exactly OBSERVATION."""
    return {
        "token": jnp.array([0.0, 50, 0]),
        "front": jnp.float32(pixels[:8, :, 1:] / 255 - 0.5),
        "pose": OBSERVATION["pose"],
        "above": jnp.float32(pixels[:, :8, :1] / 255 - 0.5),
        "many": jnp.array([50.0, 0, 0, 0, 0, 50]),
    }


def test_perfect_outputs_show_the_observation_and_cost_nothing():
    shown, losses = decoder(SPECS).observation(perfect()), decoder(SPECS).losses(perfect(), OBSERVATION)
    for name in SPECS:
        np.testing.assert_array_equal(shown[name], OBSERVATION[name])
        np.testing.assert_allclose(losses[name], 0, atol=1e-8)


def test_losses_are_half_the_sum_of_squares_or_the_cross_entropy():
    """0.1 off at each of 9 * 8 pixels; 1 and 2 off; choices at even odds, ln 2 + ln 4; and unequal logits."""
    outputs = perfect()
    wrong = outputs | {
        "above": outputs["above"] + 0.1,
        "pose": outputs["pose"] + jnp.array([1.0, -2.0]),
        "many": jnp.array([7.0, 7, -1, -1, -1, -1]),
        "token": jnp.array([1.0, 2, 0.5]),
    }
    losses = decoder(SPECS).losses(wrong, OBSERVATION)
    close(losses["above"], 72 * 0.01 / 2)
    close(losses["pose"], 2.5)
    close(losses["many"], np.log(8))
    close(losses["token"], -np.log(np.exp(2) / (np.exp(1) + np.exp(2) + np.exp(0.5))))
    np.testing.assert_allclose(losses["front"], 0, atol=1e-8)


def test_pixels_are_rounded_and_stay_in_their_range():
    spec = {"image": ArraySpec("image", (8, 8, 1))}
    output = jnp.tile(jnp.array([-7.0, -0.5, 1e-4, 7.0]), 16).reshape(8, 8, 1)
    shown = decoder(spec).observation({"image": output})
    assert shown["image"].reshape(-1)[:4].tolist() == [0, 0, 128, 255]


# -------------------------------------------------------------------------------------------------------- five bits

BYTES = jnp.arange(256).astype(jnp.uint8).reshape(16, 16, 1)
GREY = {"grey": ArraySpec("image", (16, 16, 1)), "pose": SPECS["pose"]}


def test_noise_fills_what_five_bits_leave_open():
    """Eight bytes share a level of 1/32, and every number in it is as likely."""
    seen = {"grey": BYTES, "pose": OBSERVATION["pose"]}
    noisy = jax.vmap(lambda key: dequantised(GREY, seen, key=key))(jr.split(KEY, 400))
    np.testing.assert_array_equal(noisy["pose"][7], seen["pose"])
    values = np.asarray(noisy["grey"], float).reshape(400, 256)
    inside = (values + 0.5) * 32 - np.arange(256) // 8
    assert inside.min() >= 0
    assert inside.max() < 1 + 1e-5
    counts, total = np.histogram(inside, np.linspace(0, 1, 11))[0], inside.size
    assert (np.abs(counts - total / 10) < 5 * np.sqrt(total * 0.09) + 10).all()
    assert abs(np.corrcoef(inside[:, :2].T)[0, 1]) < 5 / np.sqrt(400), "every pixel has its own"
    assert abs(np.corrcoef(inside[:2])[0, 1]) < 5 / np.sqrt(256), "and every time another"


def test_images_have_noise_of_their_own():
    specs = {name: ArraySpec("image", (16, 16, 1)) for name in ("left", "right")}
    noisy = dequantised(specs, dict.fromkeys(specs, BYTES), key=KEY)
    assert abs(np.corrcoef(*(np.asarray(image).ravel() * 32 % 1 for image in noisy.values()))[0, 1]) < 5 / 16
    again = dequantised(specs, dict.fromkeys(specs, BYTES), key=KEY)
    jax.tree.map(np.testing.assert_array_equal, noisy, again)


def test_noisy_images_go_into_encoder_and_loss_as_they_are():
    noisy = dequantised(IMAGES, {name: OBSERVATION[name] for name in IMAGES}, key=KEY)
    probed = eqx.tree_at(lambda e: e.image, encoder(IMAGES, five_bits=True), Given())
    np.testing.assert_array_equal(probed(noisy).reshape(9, 11, 4)[:8, :, 1:], noisy["front"])
    outputs = {name: image + 0.5 for name, image in noisy.items()}
    close(decoder(IMAGES, five_bits=True).losses(outputs, noisy)["front"], 8 * 11 * 3 / 8)


def test_five_bits_without_noise_are_the_middle_of_their_level():
    decode = decoder(GREY, five_bits=True)
    middle = jnp.asarray(np.arange(256, dtype=np.float32).reshape(16, 16, 1) // 8 / 32 + 1 / 64 - 0.5)
    seen = {"grey": BYTES, "pose": OBSERVATION["pose"]}
    np.testing.assert_allclose(decode.losses({"grey": middle}, seen)["grey"], 0, atol=1e-10)
    eight_bits = 0.5 * np.sum((np.asarray(middle) - (np.asarray(BYTES) / 255 - 0.5)) ** 2)
    np.testing.assert_allclose(decoder(GREY).losses({"grey": middle}, seen)["grey"], eight_bits, rtol=1e-4)
    shown = np.asarray(decode.observation({"grey": middle})["grey"])
    np.testing.assert_array_equal(shown // 8, np.asarray(BYTES) // 8)
