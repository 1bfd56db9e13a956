"""Any pytree of arrays by name, and back, to the bit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array, PyTree

from reverie.errors import UserError
from reverie.run import tree


class Layer(eqx.Module):
    weight: Array
    bias: Array | None
    activation: object = jax.nn.relu
    width: int = eqx.field(static=True, default=3)


def example(value: float) -> PyTree:
    return {
        "model": [Layer(jnp.full((2, 3), value, jnp.bfloat16), jnp.full(3, value)), Layer(jnp.full(1, value), None)],
        "key": jr.key(int(value)),
        "keys": jr.split(jr.key(int(value), impl="rbg"), 2),
        "host": np.full(2, value, np.float64),
        "count": jnp.int32(value),
        "rate": 0.1,
    }


def equal(one: PyTree, other: PyTree) -> bool:
    left, right = tree.to_arrays(one), tree.to_arrays(other)
    same = (left[name].dtype == right[name].dtype and np.array_equal(left[name], right[name]) for name in left)
    return left.keys() == right.keys() and all(same)


def test_names_are_paths() -> None:
    arrays = tree.to_arrays(example(1.0))
    names = ["count", "host", "key", "keys", "model.0.bias", "model.0.weight", "model.1.weight"]
    assert sorted(arrays) == names
    assert arrays["model.0.weight"].dtype.name == "bfloat16"
    assert arrays["key"].dtype == np.uint32


def test_round_trip() -> None:
    saved, like = example(7.0), example(0.0)
    back = tree.from_arrays(like, tree.to_arrays(saved), source="here")
    assert equal(back, saved)
    assert not equal(back, like)
    assert isinstance(back["host"], np.ndarray)
    assert back["model"][0].activation is jax.nn.relu
    assert jr.key_impl(back["keys"]) == jr.key_impl(saved["keys"])
    assert jr.normal(back["key"]) == jr.normal(saved["key"])


def test_shapes_alone_are_enough() -> None:
    saved = {"a": jnp.ones(3), "key": jr.key(5)}
    like = jax.eval_shape(lambda: {"a": jnp.zeros(3), "key": jr.key(0)})
    assert equal(tree.from_arrays(like, tree.to_arrays(saved), source="here"), saved)


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ({"a": jnp.zeros(3)}, "here has 'b', which the model does not"),
        ({"a": jnp.zeros(3), "b": jnp.zeros(2), "c": jnp.zeros(1)}, r"here lacks 'c' \(1 in all\)"),
        ({"a": jnp.zeros(4), "b": jnp.zeros(2)}, r"'a' is float32\[3\], the model needs float32\[4\].*--new"),
        ({"a": jnp.zeros(3), "b": jnp.zeros(2, jnp.int32)}, r"'b' is float32\[2\], the model needs int32\[2\]"),
    ],
)
def test_the_first_difference_is_named(like: PyTree, message: str) -> None:
    arrays = tree.to_arrays({"a": jnp.zeros(3), "b": jnp.zeros(2)})
    with pytest.raises(UserError, match=message):
        tree.from_arrays(like, arrays, source="here")


def test_non_finite_numbers_are_found() -> None:
    good = {"a": np.ones(2), "n": np.array([1, 2]), "k": np.zeros(0, np.float32)}
    assert tree.first_non_finite(good) is None
    for bad in (np.nan, np.inf):
        assert tree.first_non_finite(good | {"b": np.array([0, bad])}) == "b"
    assert tree.first_non_finite({"b": np.asarray(jnp.array([jnp.nan], jnp.bfloat16))}) == "b"
