"""A trained model as the studio steps it: one compiled call per step, whatever the method.

    look       s' = observe(s, a, o)         without memory of what was before, where an episode begins
    dream      s' = imagine(s, a)            at a temperature, of a model that has one, or whose guess is a distribution
    read       what a state shows, and what the heads and the agent say of it: `NUMBERS`
    act        the agent's action at a state

A categorical guess at temperature T is drawn again from softmax(logits / T), a Gaussian one is moved to T times its
distance from the mean; at 1 both are the model's own draw, to the bit. The uncertainty of choices is the entropy of the
guess before it is drawn, as a share of the largest: 0 is sure, 1 knows nothing; of Gaussians, their mean deviation.
What a model lacks is NaN here, and `lacks` says it in words. The planner is iCEM, from nothing in every step.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from reverie.behaviours.planning_policy import planning
from reverie.maths.distributions import action_vector, sample_index
from reverie.protocol import Trained
from reverie.rollout import filter_step

NUMBERS = ("reward", "value", "continue", "entropy", "uncertainty")
"""Of a state: of the heads, of the agent's choice (nats), of the model's guess."""
WORDS = {
    "reward": "no reward head",
    "value": "no critic",
    "continue": "no head for ends: its dreams go on for ever",
    "entropy": "its agent does not choose by chance",
    "uncertainty": "it does not say how sure it is of its guess",
    "decode": "no decoder: what is shown is the nearest real frame, and where the state (violet) lies among real ones",
}
PLAN = {"horizon": 12, "candidates": 64}
"""What a decision of the planner costs."""
WAYS = 6
"""Dials of each kind of latent: the numbers that vary most, and the choices."""


class Shown(NamedTuple):
    """A state, on the host."""

    state: Any
    decoded: dict[str, np.ndarray]
    numbers: np.ndarray
    """float32, in the order of `NUMBERS`."""
    latent: np.ndarray
    """float32: what distances between states are measured in."""


class Mind:
    """The model, its heads and its agent."""

    def __init__(self, trained: Trained) -> None:
        self.trained, self.spaces = trained, trained.spaces
        arrays, self._rest = eqx.partition(trained, eqx.is_array)
        self._arrays, self._form = jax.tree.flatten(arrays)  # a plain list is handed over faster than modules are
        self._looked, self._dreamt, self._read = (jax.jit(it) for it in (self._look, self._dream, self._see))
        self._acted, self._planned = jax.jit(self._act), jax.jit(self._plan)
        blank = eqx.filter_eval_shape(trained.model.initial)
        self.has_temperature = hasattr(trained.model, "temperature") or hasattr(blank, "logits") or gaussian(blank)
        self.has_agent = hasattr(trained.policy, "choose")
        self.has_planner = "reward" in trained.heads
        numbers = self.read(jax.device_get(trained.model.initial())).numbers
        self.lacks = {name: WORDS[name] for name, value in zip(NUMBERS, numbers, strict=True) if np.isnan(value)}
        self.lacks |= {} if "decode" in trained.heads else {"decode": WORDS["decode"]}

    @property
    def temperature(self) -> float:
        """At which it dreams unless told otherwise."""
        return float(getattr(self.trained.model, "temperature", 1.0))

    @property
    def blank(self) -> Any:
        """The state before anything was seen."""
        return jax.device_get(self.trained.model.initial())

    def look(self, state: Any, action: Any, observation: Mapping[str, Any], *, first: bool, key: Any) -> Shown:
        """After an observation, which this action led to."""
        known = {name: np.asarray(observation[name]) for name in self.spaces.observation}
        return _shown(self._looked(self._arrays, state, action, known, np.bool_(first), key))

    def dream(self, state: Any, action: Any, temperature: float, *, key: Any) -> Shown:
        """After an action, imagined."""
        return _shown(self._dreamt(self._arrays, state, action, np.float32(temperature), key))

    def read(self, state: Any) -> Shown:
        """As it is."""
        return _shown(self._read(self._arrays, state))

    def act(self, state: Any, *, key: Any) -> np.ndarray:
        """What the agent does there, in the model's form."""
        return np.asarray(self._acted(self._arrays, state, key))

    def plan(self, state: Any, *, key: Any) -> np.ndarray:
        """The first action of a plan imagined from there."""
        return np.asarray(self._planned(self._arrays, state, key))

    def _trained(self, arrays: Any) -> Trained:
        return eqx.combine(jax.tree.unflatten(self._form, arrays), self._rest)

    def _look(self, arrays: Any, state: Any, action: Any, observation: Any, first: Any, key: Any) -> Any:
        trained, see = self._trained(arrays), getattr(self.trained.policy, "see", None)
        if see is not None:
            see_key, key = jr.split(key)
            observation = see(observation, key=see_key)
        vector = action_vector(self.spaces.action, action)
        encoded = trained.model.encode(observation)
        return self._see(arrays, filter_step(trained.model, state, vector, encoded, first, key=key))

    def _dream(self, arrays: Any, state: Any, action: Any, temperature: Any, key: Any) -> Any:
        model = self._trained(arrays).model
        if hasattr(model, "temperature"):
            model = eqx.tree_at(lambda it: it.temperature, model, temperature)
        state = model.imagine(state, action_vector(self.spaces.action, action), key=key)
        if hasattr(state, "logits"):
            index = sample_index(jax.nn.log_softmax(state.logits / temperature), key=jr.fold_in(key, 1))
            drawn = jax.nn.one_hot(index, state.logits.shape[-1], dtype=state.stoch.dtype)
            state = eqx.tree_at(lambda it: it.stoch, state, jnp.where(temperature == 1, state.stoch, drawn))
        if gaussian(state):
            drawn = state.mean + temperature * (state.stoch - state.mean)
            state = eqx.tree_at(lambda it: it.stoch, state, jnp.where(temperature == 1, state.stoch, drawn))
        return self._see(arrays, state)

    def _see(self, arrays: Any, state: Any) -> Any:
        heads = self._trained(arrays).heads
        nothing = lambda _: jnp.nan
        numbers = [heads.get(name, nothing)(state) for name in NUMBERS[:3]]
        numbers += [self._entropy(arrays, state), uncertainty(state)]
        decoded = heads["decode"](state) if "decode" in heads else {}
        return state, decoded, jnp.stack([jnp.asarray(it, jnp.float32) for it in numbers]), latent(state)

    def _entropy(self, arrays: Any, state: Any) -> Any:
        """Of the actor's choice; an actor that plans, obeys or is squashed says none."""
        actor = getattr(getattr(self._trained(arrays).policy, "chooser", None), "actor", None)
        choice: Any = None if actor is None else actor(state.features)
        return choice.entropy() if hasattr(choice, "entropy") else jnp.nan

    def _act(self, arrays: Any, state: Any, key: Any) -> Array:
        policy: Any = self._trained(arrays).policy
        return policy.choose(state, key)[0]

    def _plan(self, arrays: Any, state: Any, key: Any) -> Array:
        return planning(self._trained(arrays), "icem", **PLAN).choose(state, key)[0]


@jax.jit
def dice(key: Any, *numbers: Any) -> Any:
    """The key of these numbers: folded in one after the other, in one call."""
    for number in numbers:
        key = jr.fold_in(key, number)
    return key


def gaussian(state: Any) -> bool:
    """Whether a state is drawn from a Gaussian guess that it holds."""
    return hasattr(state, "stoch") and hasattr(state, "mean") and hasattr(state, "std")


def latent(state: Any) -> Array:
    """All that a state knows, as one vector."""
    if hasattr(state, "features"):
        return state.features.astype(jnp.float32)
    leaves = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.ndim]
    return jnp.concatenate([leaf.reshape(-1).astype(jnp.float32) for leaf in leaves])


def uncertainty(state: Any) -> Any:
    """Entropy of a categorical guess, as a share of the largest; mean deviation of a Gaussian one; NaN of others."""
    if gaussian(state):
        return jnp.mean(state.std)
    if not hasattr(state, "logits"):
        return jnp.nan
    entropy = -jnp.sum(jnp.exp(state.logits) * state.logits, axis=-1)
    return jnp.mean(entropy) / jnp.log(state.logits.shape[-1])


def dials(states: list[Any]) -> list[dict[str, Any]]:
    """What can be turned at the last of these states: the numbers that varied most among them, and the choices."""
    field = "z" if hasattr(states[-1], "z") else "stoch" if gaussian(states[-1]) else "deter"
    values = np.stack([np.asarray(getattr(state, field), np.float32) for state in states])
    spread = values.std(axis=0) if len(states) > 1 else np.ones(values.shape[1])
    found = []
    for place in np.argsort(-spread, kind="stable")[:WAYS].tolist():
        middle, width = float(values[:, place].mean()), max(3 * float(spread[place]), 0.5)
        now = float(values[-1, place])
        low, high = min(middle - width, now), max(middle + width, now)
        name = f"{'h' if field == 'deter' else 'z'} {place}"
        found.append({"name": name, "field": field, "place": place, "low": low, "high": high, "value": now})
    if hasattr(states[-1], "logits"):
        chosen = np.asarray(states[-1].stoch)
        for place in range(min(WAYS, len(chosen))):
            value = int(chosen[place].argmax())
            about = {"name": f"z {place}", "field": "stoch", "place": place, "low": 0, "high": chosen.shape[1] - 1}
            found.append({**about, "value": value, "whole": True})
    return found


def turned(state: Any, dial: Mapping[str, Any], value: float) -> Any:
    """The state with one of its `dials` at another value."""
    field, place = dial["field"], dial["place"]
    values = np.array(getattr(state, field))
    if dial.get("whole"):
        values[place] = np.arange(values.shape[1]) == round(min(max(value, 0), values.shape[1] - 1))
    else:
        values[place] = value
    return eqx.tree_at(lambda it: getattr(it, field), state, values)


def _shown(found: Any) -> Shown:
    return Shown(*jax.device_get(found))
