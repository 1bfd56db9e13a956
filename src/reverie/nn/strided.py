"""Convolutions that change resolution by a stride of two, without padding, and their transposes.

    StridedConv       y[i, j] = b + sum over taps (u, v) of x[2i + u, 2j + v] W[u, v]
    TransposedConv    y[2i + u, 2j + v] = b + the sum, over all (i, j, u, v) that fall there, of x[i, j] W[u, v]

A side of n pixels becomes (n - size) // 2 + 1, and the other way round 2 (n - 1) + size.
The layers of Ha & Schmidhuber's VAE (arXiv 1803.10122): kernels Glorot-uniform, fan-in and fan-out counting the taps;
biases zero. Both are one product of a matrix with patches, on every device: patches are slices, so what JAX derives is
products and slices too, and the derivative by the kernel that XLA computes badly on a CPU (`nn.bilinear`) never arises.
One image (height, width, channel) at a time.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

Image = Float[Array, "height width inputs"]
STRIDE = 2


class StridedConv(eqx.Module):
    """VALID convolution of stride two."""

    weight: Float[Array, "size size inputs outputs"]
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, size: int, *, key: PRNGKeyArray) -> None:
        self.weight = _glorot_uniform(size, inputs, outputs, key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Image) -> Float[Array, "new_height new_width outputs"]:
        size = self.weight.shape[0]
        height, width = ((side - size) // STRIDE + 1 for side in x.shape[:2])
        rows, columns = STRIDE * (height - 1) + 1, STRIDE * (width - 1) + 1
        taps = [(u, v) for u in range(size) for v in range(size)]
        patches = jnp.concatenate([x[u : u + rows : STRIDE, v : v + columns : STRIDE] for u, v in taps], axis=-1)
        return patches @ self.weight.reshape(patches.shape[-1], -1) + self.bias[None, None]


class TransposedConv(eqx.Module):
    """The transpose of a VALID convolution of stride two."""

    weight: Float[Array, "size size inputs outputs"]
    bias: Float[Array, "outputs"]

    def __init__(self, inputs: int, outputs: int, size: int, *, key: PRNGKeyArray) -> None:
        self.weight = _glorot_uniform(size, inputs, outputs, key)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Image) -> Float[Array, "new_height new_width outputs"]:
        """The taps of one parity make the output pixels of that parity: four small images, then woven together."""
        size = self.weight.shape[0]
        even = self.weight if size % 2 == 0 else jnp.pad(self.weight, ((0, 1), (0, 1), (0, 0), (0, 0)))
        low, inputs, outputs = even.shape[0] // STRIDE, *even.shape[2:]
        by_phase = even.reshape(low, STRIDE, low, STRIDE, inputs, outputs)  # tap 2p + a: offset p, phase a
        matrix = by_phase[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5).reshape(low * low * inputs, -1)
        padded = jnp.pad(x, ((low - 1, low - 1), (low - 1, low - 1), (0, 0)))
        height, width = (side - low + 1 for side in padded.shape[:2])
        offsets = [(p, q) for p in range(low) for q in range(low)]
        patches = jnp.concatenate([padded[p : p + height, q : q + width] for p, q in offsets], axis=-1)
        phases = (patches @ matrix).reshape(height, width, STRIDE, STRIDE, outputs)
        woven = phases.transpose(0, 2, 1, 3, 4).reshape(STRIDE * height, STRIDE * width, outputs)
        rows, columns = (STRIDE * (side - 1) + size for side in x.shape[:2])
        return woven[:rows, :columns] + self.bias[None, None]


def stack(layer: type, inputs: int, stages: list[tuple[int, int]], key: PRNGKeyArray) -> tuple:
    """One layer after the other, each with the channels that it gives and its kernel's size."""
    channels = (inputs, *(outputs for outputs, _ in stages))
    sizes = zip(channels[:-1], stages, jr.split(key, len(stages)), strict=True)
    return tuple(layer(before, outputs, size, key=k) for before, (outputs, size), k in sizes)


def _glorot_uniform(size: int, inputs: int, outputs: int, key: PRNGKeyArray) -> Array:
    return jax.nn.initializers.glorot_uniform()(key, (size, size, inputs, outputs))
