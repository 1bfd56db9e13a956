"""V of World Models: a convolutional variational autoencoder of 64x64 RGB frames.

Ha & Schmidhuber, arXiv 1803.10122, appendix A.1; layers as in the authors' code (four convolutions, four transposed):

    q(z | x) = N(mean, exp(log_variance))    (mean, log_variance) = two linear layers on the flattened 2x2x256 map
    p(x | z): x^ = decode(z) in [0, 1]       linear to 1x1x1024, four transposed convolutions, the last with a sigmoid
    loss = sum over pixels and channels (x - x^)^2 + max(KL(q || N(0, 1)), 0.5 nats per latent)         of one image

The divergence is floored after the sum over latents: free bits for the whole image. Kernels are Glorot-uniform, biases
zero. Elsewhere: the batch, its mean and Adam (`methods.vmc`).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.nn.dense import Dense
from reverie.nn.strided import StridedConv, TransposedConv, stack

SHAPE = (64, 64, 3)
DEPTH = 32
"""Channels of the first convolution."""
ENCODER = ((1, 4), (2, 4), (4, 4), (8, 4))
DECODER = ((4, 5), (2, 5), (1, 6))
"""Channels of each stage in units of the depth, and its kernel size; a last one of the decoder gives the picture."""
FLAT = 32
"""Width of the last map of the encoder (2 x 2 x 8), and of the first of the decoder, in the same units."""
FREE_NATS = 0.5
"""Divergence per latent below which nothing is gained."""


class VAE(eqx.Module):
    """Frames to latents and back."""

    convolutions: tuple[StridedConv, ...]
    mean: Dense
    log_variance: Dense
    entry: Dense
    transposed: tuple[TransposedConv, ...]

    def __init__(self, latents: int, *, depth: int = DEPTH, key: PRNGKeyArray) -> None:
        if latents < 1 or depth < 1:
            raise ValueError(f"VAE: latents and depth must be at least 1, got {latents} and {depth}")
        encoder_key, decoder_key, mean_key, variance_key, entry_key = jr.split(key, 5)
        flat, channels = FLAT * depth, SHAPE[-1]
        down, up = ([(units * depth, size) for units, size in stages] for stages in (ENCODER, DECODER))
        self.convolutions = stack(StridedConv, channels, down, encoder_key)
        self.mean = Dense(flat, latents, key=mean_key)
        self.log_variance = Dense(flat, latents, key=variance_key)
        self.entry = Dense(latents, flat, key=entry_key)
        self.transposed = stack(TransposedConv, flat, [*up, (channels, 6)], decoder_key)

    def encode(
        self, frame: Float[Array, "height width channel"]
    ) -> tuple[Float[Array, "latent"], Float[Array, "latent"]]:
        """Mean and logarithm of the variance of q(z | x), for a frame in [0, 1]."""
        for convolution in self.convolutions:
            frame = jax.nn.relu(convolution(frame))
        return self.mean(frame.reshape(-1)), self.log_variance(frame.reshape(-1))

    def decode(self, z: Float[Array, "latent"]) -> Float[Array, "height width channel"]:
        """The frame in [0, 1] that z stands for."""
        frame = self.entry(z)[None, None]
        for transposed in self.transposed[:-1]:
            frame = jax.nn.relu(transposed(frame))
        return jax.nn.sigmoid(self.transposed[-1](frame))


def sample(
    mean: Float[Array, "*batch latent"], log_variance: Float[Array, "*batch latent"], *, key: PRNGKeyArray
) -> Float[Array, "*batch latent"]:
    """z ~ N(mean, exp(log_variance)), with gradients to both."""
    return mean + jnp.exp(log_variance / 2) * jr.normal(key, mean.shape)


def losses(vae: VAE, frame: Float[Array, "height width channel"], *, key: PRNGKeyArray) -> dict[str, Float[Array, ""]]:
    """`reconstruction` and `divergence` (floored) of one frame in [0, 1]; the loss is their sum."""
    mean, log_variance = vae.encode(frame)
    reconstruction = jnp.sum((frame - vae.decode(sample(mean, log_variance, key=key))) ** 2)
    divergence = -0.5 * jnp.sum(1 + log_variance - mean**2 - jnp.exp(log_variance))
    return {"reconstruction": reconstruction, "divergence": jnp.maximum(divergence, FREE_NATS * mean.size)}
