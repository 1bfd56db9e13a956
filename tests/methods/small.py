"""A DreamerV3 that compiles in seconds, with random numbers in every parameter, and batches for it."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from parameters import random_parameters

from reverie.maths.return_scale import ReturnScale
from reverie.methods import dreamer3
from reverie.models.rssm import RSSMConfig
from reverie.run.experience import Stack
from reverie.types import ArraySpec, Sequence, Spaces

BATCH, TIME, HORIZON = 2, 3, 2
CONFIG = dreamer3.Config(
    rssm=RSSMConfig(deter=8, hidden=4, stoch=3, classes=4, blocks=2), depth=2, multipliers=(2,), units=4,
    batch=BATCH, length=TIME, horizon=HORIZON, warmup=10, learning_rate=1e-2, free_nats=0.8, dtype="float32",
)  # fmt: skip
VECTOR = {"vector": ArraySpec("vector", (3,))}
CHOICES = Spaces(VECTOR | {"image": ArraySpec("image", (4, 4, 1))}, ArraySpec("discrete", (2,), (2, 3)))
NUMBERS = Spaces(VECTOR, ArraySpec("continuous", (2,)))
ONE = Spaces(VECTOR, ArraySpec("discrete", (1,), (3,)))
KEY = jr.key(0)


def stack_of(spaces: Spaces) -> Stack:
    """A batch: a terminal and a reset inside the second sequence, a truncated end of the first."""
    random, shape = np.random.default_rng(0), (BATCH, 1 + TIME)
    flags = np.zeros((3, *shape), bool)
    flags[0, 1, 1] = flags[1, 0, 3] = flags[2, 1, 2] = True
    observation = {"vector": random.normal(size=(*shape, 3)).astype(np.float32)}
    if "image" in spaces.observation:
        observation["image"] = random.integers(0, 256, (*shape, *spaces.observation["image"].shape), np.uint8)
    if spaces.action.kind == "discrete":
        action = random.integers(0, spaces.action.classes, (*shape, len(spaces.action.classes)), np.int32)
    else:
        action = random.uniform(-1, 1, (*shape, 2)).astype(np.float32)
    reward = random.normal(size=shape).astype(np.float32)
    sequence = jax.tree.map(jnp.asarray, Sequence(observation, action, reward, *flags))
    deter = jnp.float32(random.uniform(-1, 1, (BATCH, 8)))
    return Stack(sequence, {"deter": deter, "stoch": jnp.array([[0, 1, 2], [3, 3, 3]], jnp.uint8)})


def learner_of(spaces: Spaces, config: dreamer3.Config) -> dreamer3.Learner:
    """Random numbers in every parameter, those that begin with zero too."""
    model = random_parameters(dreamer3.build, spaces, config)
    slow_critic = random_parameters(dreamer3.build, spaces, config, seed=1).critic
    moments = dreamer3.optimiser(config).init(model)
    return dreamer3.Learner(model, slow_critic, ReturnScale.initial(), moments, jnp.zeros((), jnp.int32), KEY)


def same(ours, theirs, rtol=0.0, atol=0.0) -> None:
    """Both trees hold the same numbers, keys too."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        if jax.dtypes.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jr.key_data(one), jr.key_data(other)
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)
