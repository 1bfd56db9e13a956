import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from parameters import random_parameters

from reverie.behaviours.plain_actor import PlainActor
from reverie.maths.action_distributions import OneHot, TanhNormal, TruncatedNormal
from reverie.nn.perceptron import Perceptron
from reverie.types import ArraySpec

NUMBERS, CHOICES = ArraySpec("continuous", (2,)), ArraySpec("discrete", (2,), (2, 3))
FEATURES = jnp.linspace(-1, 2, 4)
NORMALS = [TanhNormal, TruncatedNormal]


def count(module):
    return sum(leaf.size for leaf in jax.tree.leaves(module))


def test_counts_are_dreamer_1_s():
    """Section 3.1 of the sheet: 6 numbers as action, 230 features; critic and reward are perceptrons."""
    spec = ArraySpec("continuous", (6,))
    assert count(random_parameters(PlainActor, 230, 400, 4, spec, normal=TanhNormal)) == 578_412
    assert count(random_parameters(Perceptron, 230, 400, 3, 1, activation="elu")) == 413_601
    assert count(random_parameters(Perceptron, 230, 400, 2, 1, activation="elu")) == 253_201


def hidden(perceptron, x):
    """Elu of each layer, with the LayerNorm before it that the layer may have."""
    for i, dense in enumerate(perceptron.hidden):
        x = x @ np.asarray(dense.weight, float) + np.asarray(dense.bias)
        if perceptron.norms:
            norm = perceptron.norms[i]
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-3) * np.asarray(norm.scale) + np.asarray(norm.shift)
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return x @ np.asarray(perceptron.out.weight) + np.asarray(perceptron.out.bias)


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("normal", NORMALS)
def test_numbers_are_drawn_from_the_normal_that_is_given(normal, norm):
    actor = random_parameters(PlainActor, 4, 5, 2, NUMBERS, normal=normal, norm=norm)
    ours = actor(FEATURES)
    theirs = normal.from_outputs(jnp.float32(hidden(actor.perceptron, np.asarray(FEATURES, float))))
    assert type(ours) is normal
    np.testing.assert_allclose([ours.mean, ours.std], [theirs.mean, theirs.std], rtol=1e-4, atol=1e-5)
    assert ours.mean.shape == (2,)


@pytest.mark.parametrize("normal", NORMALS)
def test_choices_are_one_hot(normal):
    actor = random_parameters(PlainActor, 4, 5, 2, CHOICES, normal=normal)
    ours = actor(FEATURES)
    assert isinstance(ours, OneHot)
    assert ours.classes == (2, 3)
    np.testing.assert_allclose(
        ours.logits, hidden(actor.perceptron, np.asarray(FEATURES, float)), rtol=1e-4, atol=1e-5
    )  # fmt: skip


@pytest.mark.parametrize("spec", [NUMBERS, CHOICES], ids=["numbers", "choices"])
def test_actions_are_vectors_with_gradients(spec):
    """Of the width that a world model is given."""
    actor = random_parameters(PlainActor, 4, 5, 2, spec, normal=TruncatedNormal)
    weight = jnp.arange(1.0, spec.width + 1)
    assert actor(FEATURES).sample(key=jr.key(0)).shape == (spec.width,)
    assert np.abs(jax.grad(lambda x: weight @ actor(x).sample(key=jr.key(0)))(FEATURES)).min() > 1e-4
