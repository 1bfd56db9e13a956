import jax.numpy as jnp
import numpy as np
import pytest
from parameters import random_parameters

from reverie.nn.perceptron import Perceptron


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def plain(perceptron, x, activation):
    for index, dense in enumerate(perceptron.hidden):
        x = x @ np.asarray(dense.weight) + np.asarray(dense.bias)
        if perceptron.norms:
            norm = perceptron.norms[index]
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-3) * np.asarray(norm.scale) + np.asarray(norm.shift)
        x = activation(x)
    return x @ np.asarray(perceptron.out.weight) + np.asarray(perceptron.out.bias) if perceptron.out else x


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("name", "activation"), [("elu", elu), ("relu", lambda x: np.maximum(x, 0))], ids=["elu", "relu"]
)
@pytest.mark.parametrize(("layers", "outputs"), [(2, 3), (0, 3), (2, 0)])
def test_against_numpy(norm, name, activation, layers, outputs):
    perceptron = random_parameters(Perceptron, 4, 5, layers, outputs, activation=name, norm=norm)
    x = np.linspace(-1, 1, 4, dtype=np.float32)
    np.testing.assert_allclose(perceptron(jnp.asarray(x)), plain(perceptron, x, activation), rtol=1e-4, atol=1e-5)
