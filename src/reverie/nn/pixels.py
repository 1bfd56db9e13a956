"""The convolutions of PlaNet, Dreamer 1 and DreamerV2, which are Ha & Schmidhuber's, for images of any size.

Layers of stride two without padding (`nn.strided`), an activation after each but the decoder's last. For 64x64 as in
the papers (arXiv 1811.04551, 1912.01603, 2010.02193), with d channels in the first convolution:

    encode   d, 2d, 4d, 8d channels, kernels of 4:             64 -> 31 -> 14 -> 6 -> 2, flattened
    decode   linear to 1x1x32d; 4d, 2d, d, C, kernels 5, 5, 6, 6:    1 -> 5 -> 13 -> 30 -> 64

Ours, where the papers know no other size: a shorter side of 32 takes three stages, of 16 two, of 8 one; the decoder's
last two kernels are 6, it begins with as large a map as it must, and what is too much is cut off below and right.
"""

import equinox as eqx
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.errors import UserError
from reverie.nn.dense import Dense
from reverie.nn.perceptron import ACTIVATIONS
from reverie.nn.strided import STRIDE, StridedConv, TransposedConv, stack

Shape = tuple[int, int, int]
KERNEL = 4
LEAST = 8
"""Pixels of the shorter side."""
MOST_STAGES = 4


def stages(shape: Shape) -> int:
    """How often the resolution is halved."""
    shorter = min(shape[:2])
    if shorter < LEAST:
        raise UserError(f"images must be at least {LEAST} pixels high and wide, got {shape[0]}x{shape[1]}.")
    return min(MOST_STAGES, shorter.bit_length() - 3)


def entry(side: int, kernels: tuple[int, ...]) -> int:
    """The side of the map that the transposed convolutions begin with, so that they reach `side`."""
    for kernel in reversed(kernels):
        side = -(-max(side - kernel, 0) // STRIDE) + 1
    return side


class PixelEncoder(eqx.Module):
    """From an image to a vector."""

    convolutions: tuple[StridedConv, ...]
    activation: str = eqx.field(static=True)
    outputs: int = eqx.field(static=True)

    def __init__(self, shape: Shape, depth: int, *, activation: str, key: PRNGKeyArray) -> None:
        """`depth` is the channels of the first convolution."""
        count = stages(shape)
        self.convolutions = stack(StridedConv, shape[2], [(depth * 2**i, KERNEL) for i in range(count)], key)
        self.activation = activation
        height, width = shape[:2]
        for _ in range(count):
            height, width = ((side - KERNEL) // STRIDE + 1 for side in (height, width))
        self.outputs = height * width * depth * 2 ** (count - 1)

    def __call__(self, image: Float[Array, "height width channel"]) -> Float[Array, "embed"]:
        for convolution in self.convolutions:
            image = ACTIVATIONS[self.activation](convolution(image))
        return image.reshape(-1)


class PixelDecoder(eqx.Module):
    """From a vector to the means of an image."""

    entry: Dense
    convolutions: tuple[TransposedConv, ...]
    activation: str = eqx.field(static=True)
    map: Shape = eqx.field(static=True)
    shape: Shape = eqx.field(static=True)

    def __init__(self, inputs: int, shape: Shape, depth: int, *, activation: str, key: PRNGKeyArray) -> None:
        """`depth` is the channels before the last convolution, which gives those of the image."""
        entry_key, key = jr.split(key)
        count = stages(shape)
        kernels = (5,) * (count - 2) + (6,) * min(count, 2)
        channels = [depth * 2 ** (count - 2 - i) for i in range(count - 1)] + [shape[2]]
        top = depth * 2 ** (count + 1)
        self.map = (entry(shape[0], kernels), entry(shape[1], kernels), top)
        self.entry = Dense(inputs, self.map[0] * self.map[1] * top, key=entry_key)
        self.convolutions = stack(TransposedConv, top, list(zip(channels, kernels, strict=True)), key)
        self.activation, self.shape = activation, shape

    def __call__(self, x: Float[Array, "inputs"]) -> Float[Array, "height width channel"]:
        image = self.entry(x).reshape(self.map)
        for convolution in self.convolutions[:-1]:
            image = ACTIVATIONS[self.activation](convolution(image))
        return self.convolutions[-1](image)[: self.shape[0], : self.shape[1]]
