"""A pytree as named arrays, and back.

Names are the path with dots (`model.core.cell.weight`, `optimiser.0.count`): stable as long as fields keep their names.
Only arrays are stored; functions, sizes and other constants stay with the code that builds the tree. A key array is
stored as its words, bfloat16 as itself. NumPy arrays stay NumPy arrays.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from reverie.errors import UserError

_REMEDY = "It was made by another method, size or version of Reverie; use that one, or start again with --new."


def to_arrays(tree: PyTree) -> dict[str, np.ndarray]:
    """The arrays of a tree by name, on the host."""
    named = {name: leaf for name, leaf in _leaves(tree) if _is_array(leaf)}
    return {name: np.asarray(leaf) for name, leaf in jax.device_get(jax.tree.map(_storable, named)).items()}


def from_arrays(like: PyTree, arrays: Mapping[str, np.ndarray], *, source: str) -> PyTree:
    """A tree like `like` with the arrays put in; `UserError` (naming `source`) where names, shapes or dtypes differ.

    `like` may hold `jax.ShapeDtypeStruct`s in place of arrays.
    """
    leaves = _leaves(like)
    needed = {name for name, leaf in leaves if _is_array(leaf)}
    _check_names(needed, set(arrays), source)
    new = [_fitted(name, leaf, arrays[name], source) if _is_array(leaf) else leaf for name, leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(like), new)


def first_non_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The name of an array with a NaN or an infinity in it."""
    for name, array in arrays.items():
        if jnp.issubdtype(array.dtype, jnp.floating) and not np.isfinite(array).all():
            return name
    return None


def _leaves(tree: PyTree) -> list[tuple[str, Any]]:
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    named = [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in paths]
    assert len({name for name, _ in named}) == len(named), "two leaves have the same name"
    return named


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray | np.generic | jax.ShapeDtypeStruct)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _storable(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _check_names(needed: set[str], given: set[str], source: str) -> None:
    missing, unknown = sorted(needed - given), sorted(given - needed)
    if missing or unknown:
        lacks = f" lacks {missing[0]!r} ({len(missing)} in all)" if missing else ""
        more = f" has {unknown[0]!r}, which the model does not ({len(unknown)} in all)" if unknown else ""
        raise UserError(f"{source}{lacks}{' and' if missing and unknown else ''}{more}. {_REMEDY}")


def _fitted(name: str, leaf: Any, array: np.ndarray, source: str) -> Any:
    """The stored array in place of a leaf."""
    wanted = jax.eval_shape(jax.random.key_data, leaf) if _is_key(leaf) else leaf
    if wanted.shape != array.shape or wanted.dtype != array.dtype:
        raise UserError(
            f"{source}: {name!r} is {array.dtype}{list(array.shape)}, the model needs "
            f"{wanted.dtype}{list(wanted.shape)}. {_REMEDY}"
        )
    if _is_key(leaf):
        return jax.random.wrap_key_data(jnp.asarray(array), impl=_implementation(leaf))
    if isinstance(leaf, np.ndarray | np.generic):
        return np.array(array)
    return jnp.array(array)


def _implementation(key: Any) -> Any:
    """Of a key array or its shape alone: tracing knows the one of both."""
    found = []
    jax.eval_shape(lambda traced: found.append(jax.random.key_impl(traced)), key)
    return found[0]
