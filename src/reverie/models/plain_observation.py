"""From any observation to one vector, and back, without normalisation: encoder and decoder before DreamerV3.

PlaNet (arXiv 1811.04551), Dreamer 1 (arXiv 1912.01603), DreamerV2 (arXiv 2010.02193, whose code also reads vectors).

    encode   images: laid over each other along channels, in [-0.5, 0.5] -> convolutions (`nn.pixels`)
             vectors as they are, choices one-hot, side by side in the order of their names -> hidden layers
             e = [vectors, images]
    decode   x^ ~ N(mean, 1) of pixels and numbers, a categorical of choices, from a state's features
    pixels   x / 255 - 0.5;  with `five_bits` (PlaNet)  floor(x / 8) / 32 + u - 0.5,  u ~ U(0, 1 / 32)

Without a key u is 1 / 64, its mean. Losses leave out the constant of the normal. Images of different sizes are padded
at the bottom and right to the largest.
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import action_vector, split_choices
from reverie.models.observation import Specs, canvas, choices_loss, names
from reverie.nn.dense import Dense
from reverie.nn.perceptron import Perceptron
from reverie.nn.pixels import PixelDecoder, PixelEncoder
from reverie.types import ArraySpec

LEVELS = 32
"""Values of a pixel of five bits."""


def dequantised(specs: Specs, observation: dict[str, Array], *, key: PRNGKeyArray) -> dict[str, Array]:
    """The observation with every image as five bits and noise between them, in [-0.5, 0.5]."""
    keys = dict(zip(names(specs, image=True), jr.split(key, len(specs)), strict=False))

    def noisy(name: str, value: Array) -> Array:
        noise = jr.uniform(keys[name], value.shape, maxval=1 / LEVELS)
        return _levels(value) + noise - 0.5

    return {name: noisy(name, value) if name in keys else value for name, value in observation.items()}


def _levels(image: Array) -> Float[Array, "*shape"]:
    return jnp.floor(image.astype(jnp.float32) * (LEVELS / 256)) / LEVELS


def _pixels(image: Array, *, five_bits: bool) -> Float[Array, "height width channel"]:
    """In [-0.5, 0.5]; an image that already is stays as it is."""
    if jnp.issubdtype(image.dtype, jnp.floating):
        return image
    return _levels(image) + (0.5 / LEVELS - 0.5) if five_bits else image.astype(jnp.float32) / 255 - 0.5


class PlainEncoder(eqx.Module):
    """e = encode(o)."""

    mlp: Perceptron | None
    image: PixelEncoder | None
    specs: Specs = eqx.field(static=True)
    five_bits: bool = eqx.field(static=True)
    outputs: int = eqx.field(static=True)

    def __init__(
        self,
        specs: Specs,
        *,
        units: int,
        layers: int,
        depth: int,
        activation: str,
        pixel_activation: str,
        norm: bool = False,
        five_bits: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        """`layers` of `units` for vectors; `depth` channels of the first convolution."""
        mlp_key, image_key = jr.split(key)
        width = sum(specs[name].width for name in names(specs, image=False))
        shape = {"activation": activation, "norm": norm, "key": mlp_key}
        self.mlp = Perceptron(width, units, layers, 0, **shape) if width else None
        has_image = bool(names(specs, image=True))
        self.image = (
            PixelEncoder(canvas(specs), depth, activation=pixel_activation, key=image_key) if has_image else None
        )
        self.specs, self.five_bits = specs, five_bits
        self.outputs = (units if self.mlp else 0) + (self.image.outputs if self.image else 0)

    def __call__(self, observation: dict[str, Array]) -> Float[Array, "embed"]:
        parts = []
        if self.mlp:
            vectors = [action_vector(self.specs[name], observation[name]) for name in names(self.specs, image=False)]
            parts.append(self.mlp(jnp.concatenate(vectors)))
        if self.image:
            parts.append(self.image(self._images(observation)))
        return jnp.concatenate(parts)

    def _images(self, observation: dict[str, Array]) -> Float[Array, "height width channel"]:
        """What is padded is zero."""
        height, width, _ = canvas(self.specs)
        images = []
        for name in names(self.specs, image=True):
            image = _pixels(observation[name], five_bits=self.five_bits)
            images.append(jnp.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))))
        return jnp.concatenate(images, axis=-1)


class PlainDecoder(eqx.Module):
    """From a state's features to what it looks like."""

    mlp: Perceptron | None
    vectors: dict[str, Dense]
    image: PixelDecoder | None
    specs: Specs = eqx.field(static=True)
    five_bits: bool = eqx.field(static=True)

    def __init__(
        self,
        specs: Specs,
        features: int,
        *,
        units: int,
        layers: int,
        depth: int,
        activation: str,
        pixel_activation: str,
        norm: bool = False,
        five_bits: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        mlp_key, vector_key, image_key = jr.split(key, 3)
        vectors = names(specs, image=False)
        shape = {"activation": activation, "norm": norm, "key": mlp_key}
        self.mlp = Perceptron(features, units, layers, 0, **shape) if vectors else None
        keys = jr.split(vector_key, len(vectors) + 1)
        self.vectors = {n: Dense(units, specs[n].width, key=k) for n, k in zip(vectors, keys[1:], strict=True)}
        has_image = bool(names(specs, image=True))
        shape = {"activation": pixel_activation, "key": image_key}
        self.image = PixelDecoder(features, canvas(specs), depth, **shape) if has_image else None
        self.specs, self.five_bits = specs, five_bits

    def __call__(self, features: Float[Array, "feature"]) -> dict[str, Array]:
        """Per name: means of pixels in [-0.5, 0.5], means of numbers, or logits of all choices side by side."""
        outputs = {}
        if self.mlp:
            hidden = self.mlp(features)
            outputs = {name: layer(hidden) for name, layer in self.vectors.items()}
        if self.image:
            pixels, start = self.image(features), 0
            for name in names(self.specs, image=True):
                height, width, channels = self.specs[name].shape
                outputs[name] = pixels[:height, :width, start : start + channels]
                start += channels
        return outputs

    def losses(self, outputs: dict[str, Array], observation: dict[str, Array]) -> dict[str, Float[Array, ""]]:
        """-ln p(o) of each part, without the constant: half the sum of squares, or the cross-entropy."""
        return {name: self._loss(self.specs[name], output, observation[name]) for name, output in outputs.items()}

    def observation(self, outputs: dict[str, Array]) -> dict[str, Array]:
        """The outputs as an environment would have shown them: uint8 pixels, numbers, chosen indices."""
        return {name: _as_shown(self.specs[name], value) for name, value in outputs.items()}

    def _loss(self, spec: ArraySpec, output: Array, target: Array) -> Float[Array, ""]:
        if spec.kind == "discrete":
            return choices_loss(spec, output, target)
        numbers = _pixels(target, five_bits=self.five_bits) if spec.kind == "image" else target
        return 0.5 * jnp.sum(jnp.square(output - numbers))


def _as_shown(spec: ArraySpec, output: Array) -> Array:
    if spec.kind == "image":
        return jnp.round(jnp.clip(output + 0.5, 0, 1) * 255).astype(jnp.uint8)
    if spec.kind == "vector":
        return output
    return jnp.stack([jnp.argmax(logits) for logits in split_choices(output, spec.classes)]).astype(jnp.int32)
