"""SAME convolution as a bilinear map of a batch of images and a kernel, with derivatives of our own choosing.

    convolve   Y = X * W          X (batch, height, width, in), W (size, size, in, out), size odd, stride 1
    correlate  W' = sum over batch and pixels of patches(X)^T G         the derivative by W, where G is the one by Y
    by X       G * flip(W)^T      again a convolution

Why not `jax.lax`'s own derivative: XLA's CPU compiler turns the derivative by W into a convolution whose window is the
whole image. Alone that runs at a fifth to a third of the speed of the forward pass; inside a loop it falls back to
scalar code and is fifty times slower, which would forbid several updates per dispatch. Here it is patches times a
matrix, in slices of the batch that stay in cache, so memory is bounded; only X and W are kept for the backward pass.

Both are primitives, not `jax.custom_vjp`: under `jax.vmap` a custom rule would make one W' per example and add them up,
a primitive's batching rule can put the examples into the batch. Derivatives of any order exist, each of the two being
the derivative of the other. On accelerators both are `jax.lax` convolutions.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

Images = Float[Array, "batch height width inputs"]
Outputs = Float[Array, "batch height width outputs"]
Kernel = Float[Array, "size size inputs outputs"]

PATCHES = 2**21
"""Bytes of patches per slice: about one core's second-level cache."""


def convolve(x: Images, weight: Kernel) -> Outputs:
    """Y = X * W."""
    return convolve_p.bind(x, weight)


def correlate(x: Images, g: Outputs, *, size: int) -> Kernel:
    """W' of a kernel of this size: how the sum of X * W times G changes with W."""
    return correlate_p.bind(x, g, size=size)


def transposed(weight: Kernel) -> Float[Array, "size size outputs inputs"]:
    """The kernel that takes a derivative by Y to one by X."""
    return weight[::-1, ::-1].swapaxes(2, 3)


def _convolve(x: Images, weight: Kernel) -> Outputs:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=layout)


def _correlate(x: Images, g: Outputs, *, size: int) -> Kernel:
    weight = jnp.zeros((size, size, x.shape[-1], g.shape[-1]), x.dtype)
    return jax.vjp(partial(_convolve, x), weight)[1](g)[0]


def _correlate_in_slices(x: Images, g: Outputs, *, size: int) -> Kernel:
    """Patches are made of whichever has fewer channels: W'(X, G) = transposed(W'(G, X))."""
    if g.shape[-1] < x.shape[-1]:
        return transposed(_correlate_in_slices(g, x, size=size))
    batch, height, width, channels = x.shape
    bytes_each = size * size * height * width * channels * x.dtype.itemsize
    slices = next(
        n for n in range(1, batch + 1) if batch % n == 0 and (n == batch or batch // n * bytes_each <= PATCHES)
    )
    # Slice i is every `slices`-th image from the i-th on, so that a batch spread over devices is cut on each of them.
    x, g = (y.reshape(batch // slices, slices, *y.shape[1:]) for y in (x, g))

    def add(i: Array, total: Array) -> Array:
        patches = _patches(jax.lax.dynamic_index_in_dim(x, i, axis=1, keepdims=False), size)
        cotangent = jax.lax.dynamic_index_in_dim(g, i, axis=1, keepdims=False)
        return total + jnp.einsum("bhwp,bhwo->po", patches, cotangent, preferred_element_type=jnp.float32)

    total = jax.lax.fori_loop(0, slices, add, jnp.zeros((size * size * channels, g.shape[-1])))
    return total.astype(x.dtype).reshape(size, size, channels, -1)


def _patches(x: Images, size: int) -> Float[Array, "batch height width patch"]:
    """The neighbourhood of every pixel, zero beyond the border, in the order of a kernel's first three axes."""
    _, height, width, _ = x.shape
    radius = size // 2
    x = jnp.pad(x, ((0, 0), (radius, radius), (radius, radius), (0, 0)))
    return jnp.concatenate([x[:, i : i + height, j : j + width] for i in range(size) for j in range(size)], axis=-1)


def _batched_convolve(operands: tuple[Array, Array], axes: tuple[int | None, int | None]) -> tuple[Array, int]:
    (x, weight), (x_axis, weight_axis) = operands, axes
    if weight_axis is not None:  # a network per example: no longer one convolution
        return jax.vmap(_convolve, in_axes=axes)(x, weight), 0
    assert x_axis is not None, "one of the two is batched"
    x = jnp.moveaxis(x, x_axis, 0)
    y = convolve(x.reshape(-1, *x.shape[2:]), weight)
    return y.reshape(*x.shape[:2], *y.shape[1:]), 0


def _batched_correlate(
    operands: tuple[Array, Array], axes: tuple[int | None, int | None], *, size: int
) -> tuple[Array, int]:
    return jax.vmap(partial(_correlate, size=size), in_axes=axes)(*operands), 0


convolve_p, correlate_p = Primitive("convolve"), Primitive("correlate")
convolve_p.def_impl(jax.jit(convolve_p.bind))
correlate_p.def_impl(jax.jit(correlate_p.bind, static_argnames="size"))
convolve_p.def_abstract_eval(lambda x, weight: x.update(shape=(*x.shape[:3], weight.shape[3])))
correlate_p.def_abstract_eval(lambda x, g, *, size: x.update(shape=(size, size, x.shape[3], g.shape[3])))
ad.defbilinear(
    convolve_p,
    lambda g, x, weight: convolve(g, transposed(weight)),
    lambda g, x, weight: correlate(x, g, size=weight.aval.shape[0]),
)
ad.defbilinear(
    correlate_p,
    lambda w, x, g, *, size: convolve(g, transposed(w)),
    lambda w, x, g, *, size: convolve(x, w),
)
batching.primitive_batchers[convolve_p] = _batched_convolve
batching.primitive_batchers[correlate_p] = _batched_correlate
mlir.register_lowering(convolve_p, mlir.lower_fun(_convolve, multiple_results=False))
mlir.register_lowering(correlate_p, mlir.lower_fun(_correlate, multiple_results=False))
mlir.register_lowering(correlate_p, mlir.lower_fun(_correlate_in_slices, multiple_results=False), platform="cpu")
