"""Convolutions: SAME, stride 1, and the two stages that DreamerV3 changes resolution with.

    Conv(x)             y = x * W + b      W (size, size, in, out) ~ truncated normal, variance scale^2 / fan_in; b = 0
    Conv.pooled(x)      2x2 max-pool of it; an odd last row or column is dropped, as a pool without padding does
    Conv.upsampled(x)   the same convolution of the nearest-neighbour x2 upsampled image

One image (height, width, channel) at a time, computed in the dtype of the input; parameters stay float32. `upsampled`
is always computed by the rewrite of `nn.phases`, `pooled` where that pays: on a CPU up to 16 input channels. Measured
forward and backward, milliseconds of CPU time for 32 images, plain / rewritten (two AVX-512 cores, jax 0.10.2, November
2026; `python -m benchmarks layers` measures it again):

    pooled       64x64         32x32          16x16          8x8           upsampled   4x4      8x8     16x16    32x32
    depth 4      30/12 (3 in)  19/10 (8 in)   6/4 (12 in)    3/2 (16 in)               2.5/0.7  7/1.5   22/4     52/11
    depth 8      34/17 (3 in)  33/28 (16 in)  12/14 (24 in)  4/5 (32 in)               5/2      12/4    33/11    58/13
    depth 16     77/45 (3 in)  91/96 (32 in)  36/49 (48 in)  12/19 (64 in)             13/6     41/16   95/29    76/15
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn import bilinear
from reverie.nn.linear import initial_weight
from reverie.nn.phases import Image, Kernel, depth_to_space, pooled_kernel, space_to_depth, upsampled_kernel

REWRITE_POOL_UP_TO = 16
"""Input channels up to which a CPU pools by the rewrite; beyond, its 144 multiplications for 100 cost too much."""


def convolve(x: Image, weight: Kernel) -> Float[Array, "height width outputs"]:
    """SAME, stride 1."""
    return bilinear.convolve(x[None], weight)[0]


def upsample(x: Image) -> Float[Array, "double_height double_width channel"]:
    """Every pixel twice in both directions."""
    return jnp.repeat(jnp.repeat(x, 2, axis=0), 2, axis=1)


def max_pool(x: Image) -> Float[Array, "half_height half_width channel"]:
    """Maximum over 2x2 blocks; an odd last row or column is dropped."""
    height, width, _ = x.shape
    return max_phase(space_to_depth(x[: height // 2 * 2, : width // 2 * 2]))


def max_phase(x: Float[Array, "height width channel4"]) -> Image:
    """Maximum over the four phases that lie side by side; of equals the first takes the gradient, as in a pool."""
    top_left, top_right, bottom_left, bottom_right = jnp.split(x, 4, axis=-1)
    return _first_max(_first_max(top_left, top_right), _first_max(bottom_left, bottom_right))


def _first_max(a: Array, b: Array) -> Array:
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


def conv_pool(x: Image, weight: Kernel) -> Float[Array, "new_height new_width outputs"]:
    """max_pool(convolve(x, weight)), rewritten."""
    height, width, _ = x.shape
    even = jnp.pad(x, ((0, height % 2), (0, width % 2), (0, 0)))  # one more row of the zeros that SAME pads with
    phases = convolve(space_to_depth(even), pooled_kernel(weight))
    return max_phase(phases[: height // 2, : width // 2])


def up_conv(x: Image, weight: Kernel) -> Float[Array, "new_height new_width outputs"]:
    """convolve(upsample(x), weight), rewritten."""
    return depth_to_space(convolve(x, upsampled_kernel(weight)))


class Conv(eqx.Module):
    """y = x * W + b."""

    weight: Kernel
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, size: int = 5, *, scale: float = 1.0, key: PRNGKeyArray) -> None:
        if size % 2 == 0:
            raise ValueError(f"Conv: a kernel of size {size} has no centre; use an odd size, such as {size + 1}")
        self.weight = initial_weight((size, size, inputs, outputs), size * size * inputs, scale=scale, key=key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "height width inputs"]) -> Float[Array, "height width outputs"]:
        return self._biased(convolve(x, self.weight.astype(x.dtype)))

    def pooled(self, x: Float[Array, "height width inputs"]) -> Float[Array, "half_height half_width outputs"]:
        """2x2 max-pool of the convolution. The bias is added after it, which changes nothing."""
        weight = self.weight.astype(x.dtype)
        if jax.default_backend() == "cpu" and x.shape[-1] <= REWRITE_POOL_UP_TO:
            return self._biased(conv_pool(x, weight))
        return self._biased(max_pool(convolve(x, weight)))

    def upsampled(self, x: Float[Array, "height width inputs"]) -> Float[Array, "double_height double_width outputs"]:
        """Convolution of the x2 upsampled image."""
        return self._biased(up_conv(x, self.weight.astype(x.dtype)))

    def _biased(self, y: Image) -> Image:
        return y + self.bias.astype(y.dtype)[None, None]
