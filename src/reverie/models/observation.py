"""From any observation to one vector, and back: the encoder and the decoder of DreamerV3.

DreamerV3 (2025; doi 10.1038/s41586-025-08744-2). An observation is a dict of named arrays (`types.ArraySpec`):

    encode   vectors: symlog; choices: one-hot; all concatenated in the order of their names -> 3 hidden layers
             images: concatenated along channels -> convolutions;             e = [vector part, image part]
    decode   vectors and choices: 3 hidden layers on [z, h], then one linear layer each (symlog means, logits)
             images: an up-convolution from h and z, sigmoid in [0, 1]

Images of different sizes are padded at the bottom and right to the largest, the decoder crops them again; padding to
what the strides divide is the convolutions' own (`nn.image`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.maths.distributions import action_vector, split_choices
from reverie.maths.scaling import symexp, symlog
from reverie.nn.image import ImageDecoder, ImageEncoder
from reverie.nn.linear import Linear
from reverie.nn.mlp import MLP
from reverie.types import ArraySpec

Specs = dict[str, ArraySpec]
LAYERS = 3


def names(specs: Specs, *, image: bool) -> tuple[str, ...]:
    """The images, or everything else, in the order in which they are concatenated."""
    return tuple(sorted(name for name, spec in specs.items() if (spec.kind == "image") == image))


def canvas(specs: Specs) -> tuple[int, int, int]:
    """Height, width and channels of all images laid on top of each other."""
    shapes = [specs[name].shape for name in names(specs, image=True)]
    return max(s[0] for s in shapes), max(s[1] for s in shapes), sum(s[2] for s in shapes)


class ObservationEncoder(eqx.Module):
    """e = encode(o)."""

    mlp: MLP | None
    image: ImageEncoder | None
    specs: Specs = eqx.field(static=True)
    dtype: str = eqx.field(static=True)

    def __init__(
        self, specs: Specs, *, units: int, depth: int, multipliers: tuple[int, ...], dtype: str, key: PRNGKeyArray
    ) -> None:
        """`dtype` is what the networks compute in from here on."""
        mlp_key, image_key = jr.split(key)
        width = sum(specs[name].width for name in names(specs, image=False))
        self.mlp = MLP(width, units, LAYERS, key=mlp_key) if width else None
        has_image = bool(names(specs, image=True))
        self.image = ImageEncoder(canvas(specs), depth, multipliers, key=image_key) if has_image else None
        self.specs, self.dtype = specs, dtype

    @property
    def outputs(self) -> int:
        """Width of e."""
        vector = self.mlp.layers[-1].norm.scale.size if self.mlp else 0
        return vector + (self.image.outputs if self.image else 0)

    def __call__(self, observation: dict[str, Array]) -> Float[Array, "embed"]:
        parts = []
        if self.mlp:
            vectors = [self._vector(name, observation[name]) for name in names(self.specs, image=False)]
            parts.append(self.mlp(jnp.concatenate(vectors).astype(self.dtype)))
        if self.image:
            parts.append(self.image(self._images(observation)))
        return jnp.concatenate(parts)

    def _vector(self, name: str, value: Array) -> Float[Array, "width"]:
        vector = action_vector(self.specs[name], value)
        return symlog(vector) if self.specs[name].kind == "vector" else vector

    def _images(self, observation: dict[str, Array]) -> Float[Array, "height width channel"]:
        """Pixels centred to [-0.5, 0.5]; what is padded is zero."""
        height, width, _ = canvas(self.specs)
        images = []
        for name in names(self.specs, image=True):
            image = observation[name].astype(self.dtype) / 255 - 0.5
            images.append(jnp.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))))
        return jnp.concatenate(images, axis=-1)


class ObservationDecoder(eqx.Module):
    """From a state to what it looks like."""

    mlp: MLP | None
    vectors: dict[str, Linear]
    image: ImageDecoder | None
    specs: Specs = eqx.field(static=True)

    def __init__(
        self,
        specs: Specs,
        *,
        deter: int,
        latent: int,
        blocks: int,
        units: int,
        depth: int,
        multipliers: tuple[int, ...],
        key: PRNGKeyArray,
    ) -> None:
        """`latent` is the width of the flattened stochastic part."""
        mlp_key, vector_key, image_key = jr.split(key, 3)
        vectors = names(specs, image=False)
        self.mlp = MLP(latent + deter, units, LAYERS, key=mlp_key) if vectors else None
        keys = jr.split(vector_key, len(vectors) + 1)
        self.vectors = {n: Linear(units, specs[n].width, key=k) for n, k in zip(vectors, keys[1:], strict=True)}
        self.image = None
        if names(specs, image=True):
            self.image = ImageDecoder(
                canvas(specs), deter, latent, depth, multipliers, units=units, blocks=blocks, key=image_key
            )
        self.specs = specs

    def __call__(self, deter: Float[Array, "deter"], stoch: Float[Array, "stoch classes"]) -> dict[str, Array]:
        """Per name: pixels in [0, 1], symlog means, or logits of all choices side by side. float32."""
        stoch = stoch.reshape(-1).astype(deter.dtype)
        outputs = {}
        if self.mlp:
            hidden = self.mlp(jnp.concatenate([stoch, deter]))
            outputs = {name: layer(hidden).astype(jnp.float32) for name, layer in self.vectors.items()}
        if self.image:
            pixels, start = self.image(deter, stoch).astype(jnp.float32), 0
            for name in names(self.specs, image=True):
                height, width, channels = self.specs[name].shape
                outputs[name] = pixels[:height, :width, start : start + channels]
                start += channels
        return outputs

    def observation(self, outputs: dict[str, Array]) -> dict[str, Array]:
        """The outputs as an environment would have shown them: uint8 pixels, numbers, chosen indices."""
        return {name: as_shown(self.specs[name], value) for name, value in outputs.items()}


def reconstruction_loss(spec: ArraySpec, output: Array, target: Array) -> Float[Array, ""]:
    """Sum over elements of the squared error (pixels in [0, 1]; symlog numbers), or cross-entropy of the choices."""
    if spec.kind == "image":
        return jnp.sum(jnp.square(output - target.astype(jnp.float32) / 255))
    if spec.kind == "vector":
        return jnp.sum(jnp.square(output - symlog(target)))
    return choices_loss(spec, output, target)


def choices_loss(spec: ArraySpec, output: Float[Array, "width"], target: Array) -> Float[Array, ""]:
    """Cross-entropy of all choices of an observation, from their logits side by side."""
    logits, chosen = (split_choices(flat, spec.classes) for flat in (output, action_vector(spec, target)))
    parts = zip(logits, chosen, strict=True)
    return sum((-jnp.sum(choice * jax.nn.log_softmax(logit)) for logit, choice in parts), jnp.zeros(()))


def as_shown(spec: ArraySpec, output: Array) -> Array:
    """A decoder's output as an environment would have shown it."""
    if spec.kind == "image":
        return jnp.round(jnp.clip(output, 0, 1) * 255).astype(jnp.uint8)
    if spec.kind == "vector":
        return symexp(output)
    return jnp.stack([jnp.argmax(logits) for logits in split_choices(output, spec.classes)]).astype(jnp.int32)
