"""The methods before DreamerV3, small, and what the tests of all of them need."""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from methods.small import BATCH, HORIZON, KEY, NUMBERS, TIME, VECTOR
from parameters import random_parameters

from reverie.methods import dreamer1, dreamer2
from reverie.models.discrete_rssm import DiscreteRSSMConfig
from reverie.models.gaussian_rssm import GaussianRSSMConfig
from reverie.nn.perceptron import Perceptron
from reverie.types import ArraySpec, Spaces

SHAPE: dict[str, Any] = {"depth": 2, "units": 4, "batch": BATCH, "length": TIME, "horizon": HORIZON + 1}
CHOICES = Spaces(VECTOR | {"image": ArraySpec("image", (8, 8, 1))}, ArraySpec("discrete", (2,), (2, 3)))


class Small(NamedTuple):
    """A method that compiles in seconds."""

    module: ModuleType
    config: Any
    divergences: dict[str, set[str]]
    """Of the world model's losses that are divergences: which parts they reach."""
    scales: dict[str, float]
    """Of losses that do not count once."""


WORLD = {"encoder", "entry", "cell", "posterior"}
"""All that a posterior state is made of."""
METHODS = {
    "dreamer1": Small(
        dreamer1,
        dreamer1.Config(
            rssm=GaussianRSSMConfig(deter=8, hidden=4, stoch=5), **SHAPE, free_nats=0.0, continue_scale=10.0,
            kl_scale=0.5,
        ),
        {"divergence": WORLD | {"prior"}},
        {"divergence": 0.5, "continue": 10.0},
    ),
    "dreamer2": Small(
        dreamer2,
        dreamer2.Config(rssm=DiscreteRSSMConfig(deter=8, hidden=4, stoch=3, classes=4), layers=2, **SHAPE),
        {"dynamics": WORLD | {"prior"}, "representation": WORLD},
        {"dynamics": 0.08, "representation": 0.02, "continue": 5.0},
    ),
}  # fmt: skip
SPACES = {"choices": CHOICES, "numbers": NUMBERS}


def learner_of(small: Small, spaces: Spaces) -> Any:
    """Random numbers in every parameter, those that begin with zero too."""
    model = random_parameters(small.module.build, spaces, small.config)
    parts = {"model": model, "optimiser": small.module.optimiser(small.config).init(model), "key": KEY}
    parts["updates"] = jnp.zeros((), jnp.int32)
    if small.module is dreamer2:
        parts["slow_critic"] = random_parameters(small.module.build, spaces, small.config, seed=1).critic
    return small.module.Learner(**parts)


def table(rows: Any) -> Perceptron:
    """Answers with a row of numbers for each one-hot feature."""
    weight = jnp.asarray(rows, jnp.float32)
    blank = Perceptron(*weight.shape[:1], 1, 0, weight.shape[1], activation="elu", key=KEY)
    return eqx.tree_at(lambda it: (it.out.weight, it.out.bias), blank, (weight, jnp.zeros(weight.shape[1])))


def column(*numbers: float) -> Perceptron:
    """Answers with a number for each one-hot feature."""
    return table([[number] for number in numbers])


def reached(model: Any, slow_critic: Any = None) -> set[str]:
    """The parts of a tree of gradients that are not zero."""
    world = model.world
    parts = {
        "encoder": world.encoder, "entry": world.entry, "cell": world.cell, "prior": world.prior,
        "posterior": world.posterior, "decoder": model.decoder, "reward": model.reward, "continue": model.continue_,
        "actor": model.actor, "critic": model.critic, "slow critic": slow_critic,
    }  # fmt: skip
    return {name for name, part in parts.items() if any(leaf.any() for leaf in jax.tree.leaves(part))}


def behaviour_of(small: Small, learner: Any) -> Callable[..., Any]:
    """`behaviour_losses(model, slow_critic, imagined, rows)`, whatever else the method's own takes."""

    def losses(model: Any, slow_critic: Any, imagined: Any, rows: Any) -> Any:
        if small.module is dreamer2:
            first = dreamer2.survival_of(rows, small.config).reshape(-1)
            return dreamer2.behaviour_losses(model, slow_critic, imagined, first, small.config)[0]
        return small.module.behaviour_losses(model, imagined, small.config)[0]

    del learner
    return losses
