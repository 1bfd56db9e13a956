"""Convolutions: SAME, stride 1, and the two stages that DreamerV3 changes resolution with.

Conv    y = x * W + b          W (height, width, in, out): truncated normal of variance scale^2 / (height width in); b = 0
ConvPool    2x2 max-pool of a convolution; an odd last row or column is dropped, as a pool without padding does
UpConv      convolution of the nearest-neighbour x2 upsampled image

One image (height, width, channel) at a time, computed in the dtype of the input; parameters stay float32. Both stages
compute the rewrites of `nn.phases`, which are the same functions. Against the plain forms, forward and backward, batch 128
(two cores, AVX-512, November 2026; `python -m benchmarks layers` measures it again), plain / rewrite, milliseconds:

                 ConvPool 64x64   32x32   16x16   8x8      UpConv 4x4   8x8    16x16   32x32
    depth 4                70/53   73/55   11/15   3/4            2/1   10/4    27/11   57/22

The smallest images gain nothing from the wider pooled kernel: below 32x32 with few channels ConvPool stays plain.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn import bilinear
from reverie.nn.linear import initial_weight
from reverie.nn.phases import Image, Kernel, depth_to_space, pooled_kernel, space_to_depth, upsampled_kernel


def convolve(x: Image, weight: Kernel) -> Image:
    """SAME, stride 1."""
    return bilinear.convolve(x[None], weight)[0]


def upsample(x: Image) -> Image:
    """Every pixel twice in both directions."""
    return jnp.repeat(jnp.repeat(x, 2, axis=0), 2, axis=1)


def max_pool(x: Image) -> Image:
    """Maximum over 2x2 blocks; an odd last row or column is dropped."""
    height, width, _ = x.shape
    return max_phase(space_to_depth(x[: height // 2 * 2, : width // 2 * 2]))


def max_phase(x: Float[Array, "height width channel4"]) -> Image:
    """Maximum over the four phases that lie side by side; of equals the first takes the gradient, as in a pool."""
    top_left, top_right, bottom_left, bottom_right = jnp.split(x, 4, axis=-1)
    return _first_max(_first_max(top_left, top_right), _first_max(bottom_left, bottom_right))


def _first_max(a: Array, b: Array) -> Array:
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


def conv_pool(x: Image, weight: Kernel) -> Image:
    """max_pool(convolve(x, weight)), rewritten."""
    height, width, _ = x.shape
    even = jnp.pad(x, ((0, height % 2), (0, width % 2), (0, 0)))  # one more row of the zeros that SAME pads with
    phases = convolve(space_to_depth(even), pooled_kernel(weight))
    return max_phase(phases[: height // 2, : width // 2])


def up_conv(x: Image, weight: Kernel) -> Image:
    """convolve(upsample(x), weight), rewritten."""
    return depth_to_space(convolve(x, upsampled_kernel(weight)))


class Conv(eqx.Module):
    """y = x * W + b."""

    weight: Kernel
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, kernel: int = 5, *, scale: float = 1.0, key: PRNGKeyArray) -> None:
        if kernel % 2 == 0:
            raise ValueError(f"Conv: kernel must be odd to be centred, got {kernel}")
        shape = (kernel, kernel, inputs, outputs)
        self.weight = initial_weight(shape, kernel * kernel * inputs, scale=scale, key=key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "height width inputs"]) -> Float[Array, "height width outputs"]:
        return self._biased(convolve(x, self.weight.astype(x.dtype)))

    def pooled(self, x: Float[Array, "height width inputs"]) -> Float[Array, "half_height half_width outputs"]:
        """2x2 max-pool of the convolution. The bias is added after it, which changes nothing."""
        return self._biased(conv_pool(x, self.weight.astype(x.dtype)))

    def upsampled(self, x: Float[Array, "height width inputs"]) -> Float[Array, "double_height double_width outputs"]:
        """Convolution of the x2 upsampled image."""
        return self._biased(up_conv(x, self.weight.astype(x.dtype)))

    def _biased(self, y: Image) -> Image:
        return y + self.bias.astype(y.dtype)[None, None]
