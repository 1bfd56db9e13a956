"""Each resolution-changing stage of DreamerV3's encoder and decoder, forward and backward, in four forms.

    plain       convolution, then pool; upsampling, then convolution: with jax's own derivative
    primitive   the same with the derivative of `nn.bilinear`
    phases      the rewrite of `nn.phases`, with jax's own derivative
    both        the rewrite with our derivative

`Conv.pooled` computes `both` up to a number of channels and `primitive` beyond; `Conv.upsampled` computes `both`.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array

from benchmarks.measure import interleave
from reverie.methods.dreamer3 import SIZES
from reverie.nn.conv import conv_pool, convolve, max_phase, max_pool, up_conv, upsample
from reverie.nn.phases import depth_to_space, pooled_kernel, space_to_depth, upsampled_kernel

IMAGES = 64
SIDE = 64


def plain(x: Array, weight: Array) -> Array:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x[None], weight, (1, 1), "SAME", dimension_numbers=layout)[0]


FORMS: dict[str, dict[str, Callable[[Array, Array], Array]]] = {
    "pooled": {
        "plain": lambda x, w: jax.lax.reduce_window(plain(x, w), -jnp.inf, jax.lax.max, (2, 2, 1), (2, 2, 1), "VALID"),
        "primitive": lambda x, w: max_pool(convolve(x, w)),
        "phases": lambda x, w: max_phase(plain(space_to_depth(x), pooled_kernel(w))),
        "both": conv_pool,
    },
    "upsampled": {
        "plain": lambda x, w: plain(upsample(x), w),
        "primitive": lambda x, w: convolve(upsample(x), w),
        "phases": lambda x, w: depth_to_space(plain(x, upsampled_kernel(w))),
        "both": up_conv,
    },
}


def measure(*, sizes: list[str], repetitions: int) -> dict[str, Any]:
    return {size: _stages(SIZES[size].depth, SIZES[size].multipliers, repetitions) for size in sizes}


def _stages(depth: int, multipliers: tuple[int, ...], repetitions: int) -> dict[str, Any]:
    channels = [3, *(depth * multiplier for multiplier in multipliers)]
    answer = {}
    for stage, (few, many) in enumerate(itertools.pairwise(channels)):
        high = SIDE >> stage
        answer[f"pooled {high}x{high}x{few} -> {many}"] = _forms("pooled", high, few, many, repetitions)
        low = f"upsampled {high // 2}x{high // 2}x{many} -> {few}"
        answer[low] = _forms("upsampled", high // 2, many, few, repetitions)
    return answer


def _forms(kind: str, side: int, inputs: int, outputs: int, repetitions: int) -> dict[str, Any]:
    x = jr.normal(jr.key(0), (IMAGES, side, side, inputs))
    weight = jr.normal(jr.key(1), (5, 5, inputs, outputs)) / (25 * inputs) ** 0.5
    by = (0, 1) if inputs > 3 else 1  # nobody asks for the gradient by the pixels

    def both_ways(form: Callable[[Array, Array], Array], x: Array, weight: Array) -> Any:
        loss = lambda x, weight: jnp.sum(jnp.square(jax.vmap(form, in_axes=(0, None))(x, weight)))
        return jax.value_and_grad(loss, argnums=by)(x, weight)

    jitted = {name: jax.jit(partial(both_ways, form)) for name, form in FORMS[kind].items()}
    return interleave({name: partial(f, x, weight) for name, f in jitted.items()}, repetitions)
