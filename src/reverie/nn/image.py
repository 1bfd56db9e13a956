"""Images to one vector and back: DreamerV3's convolutional encoder and decoder.

DreamerV3 (2025; doi 10.1038/s41586-025-08744-2, sizes and order as in the authors' code). For multipliers (2, 3, 4, 4):

    encoder   per stage: 5x5 convolution to depth * multiplier channels, 2x2 max-pool, RMSNorm, SiLU; flatten
    decoder   map = silu(rms( BlockLinear(h) + Linear(silu(rms(Linear(z)))) ))     (height/16, width/16, depth * last)
              per stage, multipliers backwards: x2 upsample, 5x5 convolution, RMSNorm, SiLU; the last to C, sigmoid

Block k of the BlockLinear gives channels k n ... k n + n - 1 at every pixel of the map, n = depth * last / blocks.
Norms are per pixel over channels, in float32 as always; the rest is in the input's dtype.
Deviates: any height and width. The encoder pads with zeros (mid grey, after centring) at the bottom and right up to
what the pools divide, the decoder makes the padded size and crops. One image at a time.
Elsewhere: centring and concatenating the images of an observation (`models.observation`); the convolutions (`nn.conv`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.errors import UserError
from reverie.nn.conv import Conv
from reverie.nn.linear import BlockLinear, Linear
from reverie.nn.mlp import Hidden
from reverie.nn.norm import RMSNorm

Shape = tuple[int, int, int]


def padded(shape: Shape, stages: int) -> tuple[int, int]:
    """Height and width rounded up to what `stages` halvings divide."""
    step = 2**stages
    return -(-shape[0] // step) * step, -(-shape[1] // step) * step


class ImageEncoder(eqx.Module):
    """From a centred image to a vector."""

    convolutions: tuple[Conv, ...]
    norms: tuple[RMSNorm, ...]
    shape: Shape = eqx.field(static=True)

    def __init__(self, shape: Shape, depth: int, multipliers: tuple[int, ...], *, key: PRNGKeyArray) -> None:
        """`shape` is (height, width, channels) of the images; one stage per multiplier."""
        channels = (shape[2], *(depth * multiplier for multiplier in multipliers))
        keys = jr.split(key, len(multipliers))
        sizes = zip(channels[:-1], channels[1:], keys, strict=True)
        self.convolutions = tuple(Conv(inputs, outputs, key=key) for inputs, outputs, key in sizes)
        self.norms = tuple(RMSNorm(outputs) for outputs in channels[1:])
        self.shape = shape

    @property
    def outputs(self) -> int:
        """Width of the vector."""
        height, width = padded(self.shape, len(self.norms))
        return height * width // 4 ** len(self.norms) * self.norms[-1].scale.size

    def __call__(self, image: Float[Array, "height width channel"]) -> Float[Array, "embed"]:
        height, width = padded(self.shape, len(self.norms))
        x = jnp.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)))
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = jax.nn.silu(norm(convolution.pooled(x)))
        return x.reshape(-1)


class ImageDecoder(eqx.Module):
    """From the two parts of a state to an image in [0, 1]."""

    from_deter: BlockLinear
    hidden: Hidden
    from_hidden: Linear
    norm: RMSNorm
    convolutions: tuple[Conv, ...]
    norms: tuple[RMSNorm, ...]
    shape: Shape = eqx.field(static=True)
    blocks: int = eqx.field(static=True)

    def __init__(
        self,
        shape: Shape,
        deter: int,
        stoch: int,
        depth: int,
        multipliers: tuple[int, ...],
        *,
        units: int,
        blocks: int,
        key: PRNGKeyArray,
    ) -> None:
        """`stoch` is the width of the flattened stochastic part; the hidden layer on it is 2 * units wide."""
        channels = (shape[2], *(depth * multiplier for multiplier in multipliers))
        if channels[-1] % blocks:
            raise UserError(
                f"ImageDecoder: {blocks} blocks must divide the {channels[-1]} channels of the smallest map "
                f"(depth={depth} times the last of multipliers={multipliers}): choose other ones"
            )
        height, width = padded(shape, len(multipliers))
        entry = height * width // 4 ** len(multipliers) * channels[-1]
        deter_key, hidden_key, entry_key, *keys = jr.split(key, 3 + len(multipliers))
        self.from_deter = BlockLinear(deter, entry, blocks, key=deter_key)
        self.hidden = Hidden(stoch, 2 * units, key=hidden_key)
        self.from_hidden = Linear(2 * units, entry, key=entry_key)
        self.norm = RMSNorm(channels[-1])
        sizes = zip(channels[:0:-1], channels[-2::-1], keys, strict=True)
        self.convolutions = tuple(Conv(inputs, outputs, key=key) for inputs, outputs, key in sizes)
        self.norms = tuple(RMSNorm(outputs) for outputs in channels[-2:0:-1])
        self.shape, self.blocks = shape, blocks

    def __call__(
        self, deter: Float[Array, "deter"], stoch: Float[Array, "stoch"]
    ) -> Float[Array, "height width channel"]:
        x = jax.nn.silu(self.norm(self._map(deter, stoch)))
        for convolution, norm in zip(self.convolutions, self.norms, strict=False):  # all but the last
            x = jax.nn.silu(norm(convolution.upsampled(x)))
        pixels = jax.nn.sigmoid(self.convolutions[-1].upsampled(x))
        return pixels[: self.shape[0], : self.shape[1]]

    def _map(self, deter: Float[Array, "deter"], stoch: Float[Array, "stoch"]) -> Float[Array, "height width channel"]:
        """The smallest map: a part from each half of the state."""
        height, width = (side // 2 ** len(self.convolutions) for side in padded(self.shape, len(self.convolutions)))
        by_block = self.from_deter(deter).reshape(self.blocks, height, width, -1)
        from_deter = by_block.transpose(1, 2, 0, 3).reshape(height, width, -1)
        return from_deter + self.from_hidden(self.hidden(stoch)).reshape(height, width, -1)
