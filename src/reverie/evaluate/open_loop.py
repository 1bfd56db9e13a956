"""How far a dream can be trusted: watch a while, close the eyes, act on, and compare with what really happened.

    watched   s_t = observe(s_{t-1}, a_{t-1}, o_t)     t < context           rows: decode(s_t), a reconstruction
    dreamt    s_t = imagine(s_{t-1}, a_{t-1})          context <= t < n      rows: decode(s_t), a prediction

The actions are those of the recorded episode, so the two worlds can be compared row by row. The baseline is the last
watched observation, repeated: a model that does worse than that knows nothing of the dynamics.

The error of a row: vectors, mean squared difference; images, the same with pixels in [0, 1]; choices, the share guessed
wrong. Default context: half of the rows, as in the reports of DreamerV3 (arXiv 2301.04104v2).

Elsewhere: recording the episode (`returns.record`), the film of it (`open_loop_film`), the plot (`plots`).
"""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie import rollout
from reverie.errors import UserError
from reverie.maths.distributions import action_vector
from reverie.protocol import Trained
from reverie.types import ArraySpec, Sequence


@dataclass(frozen=True)
class OpenLoop:
    """A window of an episode beside the model's account of it; time leads everywhere."""

    context: int
    """Rows that the model watched; the dream is all the others."""
    reality: dict[str, np.ndarray]
    """What the model decodes; of the rest of an observation it knows nothing."""
    dream: dict[str, np.ndarray]
    """Same names, shapes and dtypes as `reality`: reconstructions, then predictions."""
    error: dict[str, np.ndarray]
    """(rows,) by name, of every row, watched ones too."""
    baseline: dict[str, np.ndarray]
    """(rows,) by name: the error of repeating the last watched row; 0 while watching."""

    @property
    def rows(self) -> int:
        return len(next(iter(self.error.values())))


def open_loop(
    trained: Trained,
    sequence: Sequence,
    *,
    start: int = 0,
    rows: int | None = None,
    context: int | None = None,
    seed: int = 0,
) -> OpenLoop:
    """Watches `context` of the `rows` rows from row `start` of one episode, then dreams the others."""
    if "decode" not in trained.heads:
        raise UserError("This method's model has no decoder: its dream cannot be compared with observations.")
    available = len(sequence.reward) - start
    rows = available if rows is None else min(rows, available)
    context = rows // 2 if context is None else context
    if not 1 <= context < rows:
        raise ValueError(f"open_loop needs 1 <= context < rows, got context={context} and rows={rows}")
    window = jax.tree.map(lambda leaf: np.asarray(leaf)[start : start + rows], sequence)
    if window.is_first[1:].any():
        raise ValueError("open_loop needs rows of one episode, got a window in which another one begins")
    decoded = jax.tree.map(np.asarray, _watch_and_dream(trained, window, context, jr.key(seed)))
    specs = {name: spec for name, spec in trained.spaces.observation.items() if name in decoded}
    reality = {name: window.observation[name] for name in specs}
    dream = {name: _as_shown(specs[name], decoded[name]) for name in specs}
    copied = {name: _repeat_last(reality[name], context) for name in specs}
    return OpenLoop(
        context=context,
        reality=reality,
        dream=dream,
        error={name: row_error(specs[name], reality[name], dream[name]) for name in specs},
        baseline={name: row_error(specs[name], reality[name], copied[name]) for name in specs},
    )


def row_error(spec: ArraySpec, truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """(rows,): see the module's docstring."""
    axes = tuple(range(1, truth.ndim))
    if spec.kind == "discrete":
        return (truth != guess).mean(axis=axes)
    scale = 255.0 if spec.kind == "image" else 1.0
    return (((truth.astype(np.float64) - guess) / scale) ** 2).mean(axis=axes)


@eqx.filter_jit
def _watch_and_dream(trained: Trained, window: Sequence, context: int, key):
    watch_key, dream_key = jr.split(key)
    vectors = jax.vmap(lambda action: action_vector(trained.spaces.action, action))(window.action)
    previous = jnp.concatenate([jnp.zeros_like(vectors[:1]), vectors[: context - 1]])
    seen = jax.tree.map(lambda leaf: leaf[:context], window.observation)
    encoded = jax.vmap(trained.model.encode)(seen)
    is_first = jnp.arange(context) == 0  # the model knows nothing of what was before the window
    watched = rollout.filter(trained.model, trained.model.initial(), previous, encoded, is_first, key=watch_key)
    last = jax.tree.map(lambda leaf: leaf[-1], watched)
    dreamt = rollout.rollout(trained.model, last, vectors[context - 1 : -1], key=dream_key)
    states = jax.tree.map(lambda before, after: jnp.concatenate([before, after]), watched, dreamt)
    return jax.vmap(trained.heads["decode"])(states)


def _as_shown(spec: ArraySpec, decoded: np.ndarray) -> np.ndarray:
    """In the dtype of the world; a decoder may give pixels as numbers between whole ones or outside 0 to 255."""
    if spec.kind == "image" and decoded.dtype != np.uint8:
        return np.clip(np.rint(decoded), 0, 255).astype(np.uint8)
    return decoded.astype(spec.dtype)


def _repeat_last(observed: np.ndarray, context: int) -> np.ndarray:
    copied = observed.copy()
    copied[context:] = observed[context - 1]
    return copied
