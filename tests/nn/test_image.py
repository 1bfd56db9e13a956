"""The image encoder and decoder: equal to the reference's numbers, for any image size, with the paper's sizes."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.errors import UserError
from reverie.nn.image import ImageDecoder, ImageEncoder, padded

FIXTURES = Path(__file__).parents[1] / "fixtures"
PAPER = (2, 3, 4, 4)


def layer(reference, name):
    """Weight and bias of a layer of the reference."""
    return [jnp.asarray(reference[f"parameter/{name}/{part}"]) for part in ("kernel", "bias")]


def scale(reference, name):
    return jnp.asarray(reference[f"parameter/{name}/scale"])


@pytest.fixture(params=["discrete", "continuous"])
def reference(request):
    with np.load(FIXTURES / f"dreamer3_{request.param}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def test_the_encoder_agrees_with_the_reference(reference):
    encoder = ImageEncoder((16, 16, 3), 4, (2, 4), key=jr.key(0))
    parts = lambda e: [
        x for i in range(2) for x in (e.convolutions[i].weight, e.convolutions[i].bias, e.norms[i].scale)
    ]
    theirs = [x for i in range(2) for x in (*layer(reference, f"enc/cnn{i}"), scale(reference, f"enc/cnn{i}norm"))]
    encoder = eqx.tree_at(parts, encoder, theirs)
    image = jnp.asarray(reference["input/image"]).astype(jnp.float32) / 255 - 0.5
    tokens = reference["encoder/tokens"][..., -encoder.outputs :]
    assert encoder.outputs == 4 * 4 * 16
    np.testing.assert_allclose(jax.vmap(jax.vmap(encoder))(image), tokens, rtol=1e-5, atol=1e-5)


def test_the_decoder_agrees_with_the_reference(reference):
    decoder = ImageDecoder((16, 16, 3), 32, 16, 4, (2, 4), units=8, blocks=8, key=jr.key(0))
    layers = lambda d: (d.from_deter, d.hidden.linear, d.from_hidden, *d.convolutions)
    norms = lambda d: (d.hidden.norm, d.norm, d.norms[0])
    parts = lambda d: [x for y in layers(d) for x in (y.weight, y.bias)] + [norm.scale for norm in norms(d)]
    theirs = [x for name in ("sp0", "sp1", "sp2", "conv0", "imgout") for x in layer(reference, f"dec/{name}")]
    theirs += [scale(reference, f"dec/{name}") for name in ("sp1norm", "spnorm", "conv0norm")]
    decoder = eqx.tree_at(parts, decoder, theirs)
    deter, stoch = jnp.asarray(reference["observe/deter"]), jnp.asarray(reference["observe/stoch"]).reshape(2, 6, 16)
    pixels = jax.vmap(jax.vmap(decoder))(deter, stoch)
    np.testing.assert_allclose(pixels, reference["decoder/image/pred"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("hidden", [64, 256, 1024])
def test_the_paper_s_sizes_have_the_paper_s_parameters(hidden):
    depth, shape = hidden // 16, (64, 64, 3)
    encoder = eqx.filter_eval_shape(ImageEncoder, shape, depth, PAPER, key=jr.key(0))
    decoder = eqx.filter_eval_shape(
        ImageDecoder, shape, 8 * hidden, 32 * depth, depth, PAPER, units=hidden, blocks=8, key=jr.key(0)
    )
    counts = [sum(leaf.size for leaf in jax.tree.leaves(part)) for part in (encoder, decoder)]
    known = {64: [14_304, 80_595], 256: [220_416, 1_272_003], 1024: [3_492_864, 20_282_115]}
    assert counts == known[hidden]
    assert encoder.outputs == 4 * 4 * 4 * depth


@pytest.mark.parametrize("shape", [(4, 4, 1), (5, 7, 2), (1, 9, 3)])
def test_any_image_size_is_padded_in_and_cropped_out(shape):
    encoder = ImageEncoder(shape, 4, (2, 2), key=jr.key(0))
    decoder = ImageDecoder(shape, 8, 6, 4, (2, 2), units=4, blocks=4, key=jr.key(1))
    height, width = padded(shape, 2)
    assert (height - shape[0], width - shape[1]) == (-shape[0] % 4, -shape[1] % 4)
    assert encoder(jnp.ones(shape)).shape == (encoder.outputs,) == (height * width // 16 * 8,)
    pixels = decoder(jnp.ones(8), jnp.ones(6))
    assert pixels.shape == shape
    assert float(pixels.min()) > 0
    assert float(pixels.max()) < 1


def test_padding_is_grey():
    narrow, encoder = (ImageEncoder((4, width, 1), 4, (2, 2), key=jr.key(0)) for width in (5, 8))  # same weights
    wide = jnp.zeros((4, 8, 1)).at[:, :5].set(jr.normal(jr.key(1), (4, 5, 1)))
    np.testing.assert_array_equal(narrow(wide[:, :5]), encoder(wide))


def test_both_compute_in_the_dtype_of_their_input():
    encoder = ImageEncoder((4, 4, 1), 4, (2,), key=jr.key(0))
    decoder = ImageDecoder((4, 4, 1), 8, 6, 4, (2,), units=4, blocks=4, key=jr.key(1))
    half = jnp.bfloat16
    assert encoder(jnp.ones((4, 4, 1), half)).dtype == half
    assert decoder(jnp.ones(8, half), jnp.ones(6, half)).dtype == half


def test_blocks_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(UserError, match="8 blocks must divide the 12 channels"):
        ImageDecoder((16, 16, 3), 32, 16, 4, (2, 3), units=8, blocks=8, key=jr.key(0))
