"""The papers' numbers of parameters and map sizes, and images of other sizes."""

import jax
import jax.numpy as jnp
import jax.random as jr
import pytest
from parameters import random_parameters

from reverie.errors import UserError
from reverie.nn.pixels import PixelDecoder, PixelEncoder, entry, stages


def size(module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(module))


def test_counts_are_dreamer_1_s():
    """Section 3.1 of the sheet; the decoder reads 230 features."""
    encoder = random_parameters(PixelEncoder, (64, 64, 3), 32, activation="relu")
    decoder = random_parameters(PixelDecoder, 230, (64, 64, 3), 32, activation="relu")
    assert (size(encoder), encoder.outputs) == (690_144, 1024)
    assert size(decoder) == 3_795_555
    assert decoder.map == (1, 1, 1024)


@pytest.mark.parametrize(
    ("shape", "count", "map_"),
    [
        ((64, 64, 1), 4, (1, 1)),
        ((32, 32, 3), 3, (1, 1)),
        ((16, 16, 3), 2, (1, 1)),
        ((8, 9, 3), 1, (2, 3)),
        ((96, 64, 1), 4, (3, 1)),
        ((84, 100, 1), 4, (3, 4)),
    ],
)
def test_any_size_is_read_and_drawn(shape, count, map_):
    assert stages(shape) == count
    encoder = random_parameters(PixelEncoder, shape, 2, activation="elu")
    decoder = random_parameters(PixelDecoder, 5, shape, 2, activation="elu")
    assert decoder.map[:2] == map_
    assert jax.eval_shape(encoder, jnp.zeros(shape)).shape == (encoder.outputs,)
    assert jax.eval_shape(decoder, jnp.zeros(5)).shape == shape


def test_a_map_that_is_one_smaller_would_not_do():
    assert entry(64, (5, 5, 6, 6)) == 1
    assert entry(65, (5, 5, 6, 6)) == 2
    assert entry(80, (5, 5, 6, 6)) == 2
    assert entry(81, (5, 5, 6, 6)) == 3


def test_too_small_images_are_refused():
    with pytest.raises(UserError, match="at least 8 pixels high and wide, got 7x64"):
        PixelEncoder((7, 64, 1), 1, activation="elu", key=jr.key(0))
