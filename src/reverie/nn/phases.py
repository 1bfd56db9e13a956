"""Exact rewrites of convolutions at a changing resolution, as 3x3 convolutions at the lower one.

    upsample x2, then a 5x5 convolution     = 3x3 convolution to 4 n channels, then depth to space
    5x5 convolution, then 2x2 max-pool      = space to depth, 3x3 convolution 4 c -> 4 n, then a maximum over 4 phases

A phase is one of the four positions (a, b) of a high-resolution pixel inside its low-resolution one. Tap d of an odd
kernel, seen from phase a, falls on low-resolution offset floor((a + d - r) / 2), r the radius: taps of an upsampled
image that fall on the same pixel are summed (36 multiplications instead of 100), taps of an image to be pooled keep
their own phase there (144 instead of 100, but wider and without a pooling pass). Zero padding at the border is the same
zero in both, so equality holds there too. Any odd kernel size works.

The kernels are computed from the layer's own weights at every call: the optimiser sees those alone, and the gradient
flows through the sums. Images are (height, width, channel); kernels (height, width, in, out).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Image = Float[Array, "height width channel"]
Kernel = Float[Array, "size size inputs outputs"]
LowKernel = Float[Array, "low low low_inputs low_outputs"]


def space_to_depth(x: Image) -> Float[Array, "half_height half_width channels4"]:
    """Each 2x2 block becomes one pixel, its phases side by side; both sides must be even."""
    height, width, channels = x.shape
    blocks = x.reshape(height // 2, 2, width // 2, 2, channels)
    return blocks.transpose(0, 2, 1, 3, 4).reshape(height // 2, width // 2, 4 * channels)


def depth_to_space(x: Float[Array, "height width channel4"]) -> Float[Array, "double_height double_width channel"]:
    """The inverse of `space_to_depth`."""
    height, width, channels = x.shape
    blocks = x.reshape(height, width, 2, 2, channels // 4)
    return blocks.transpose(0, 2, 1, 3, 4).reshape(2 * height, 2 * width, channels // 4)


def upsampled_kernel(weight: Kernel) -> LowKernel:
    """K' with depth_to_space(conv(x, K')) = conv(upsample(x), weight)."""
    fall = jnp.asarray(_taps(weight.shape[0]).sum(axis=2), weight.dtype)  # phase, low offset, tap
    kernel = jnp.einsum("auy,bvx,yxio->uviabo", fall, fall, weight)
    return kernel.reshape(*kernel.shape[:3], -1)


def pooled_kernel(weight: Kernel) -> LowKernel:
    """K' with conv(space_to_depth(x), K') = space_to_depth(conv(x, weight))."""
    fall = jnp.asarray(_taps(weight.shape[0]), weight.dtype)  # phase, low offset, phase there, tap
    kernel = jnp.einsum("aupy,bvqx,yxio->uvpqiabo", fall, fall, weight)
    low, inputs = kernel.shape[0], weight.shape[2]
    return kernel.reshape(low, low, 4 * inputs, -1)


def _taps(size: int) -> np.ndarray:
    """1 where tap `y` of a kernel, seen from phase `a`, falls on low-resolution offset `u`, phase `p`: [a, u, p, y]."""
    radius = size // 2
    reach = (radius + 1) // 2  # low-resolution offsets are -reach ... reach
    table = np.zeros((2, 2 * reach + 1, 2, size), np.float32)
    for phase in range(2):
        for tap in range(size):
            offset, there = divmod(phase + tap - radius, 2)
            table[phase, offset + reach, there, tap] = 1
    return table
