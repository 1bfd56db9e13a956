"""A world model as an environment: anything that speaks Gymnasium can act in a dream, and learn there.

    reset   s_1 = observe(s_0, o)               o: a stored first observation, or one that is given
    step    s' = imagine(s, a)                  shows decode(s'), pays reward(s'), ends where continue(s') < 1/2

`Dream` is one, `VectorDream` many in one compiled call. Actions are those of the run's world; what is shown is the
model's form of what that world shows: pictures of bytes, numbers, choices. An end is not drawn: it is where the model
holds it to be likelier than not. The same seed is the same dream.

Elsewhere: `api.dream`, which makes one of a run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from reverie.errors import UserError
from reverie.maths.distributions import action_vector
from reverie.protocol import Trained
from reverie.rollout import filter_step
from reverie.types import ArraySpec

NEEDED = ("decode", "reward")
"""Heads without which a model is no environment."""
Observation = Mapping[str, np.ndarray]
Draw = Callable[[dict[str, np.ndarray]], np.ndarray | None]


@dataclass(frozen=True)
class Scene:
    """What a dream is made of."""

    trained: Trained
    """The model and its heads."""
    firsts: Observation
    """Observations that episodes begin with [start, ...]."""
    action_space: gymnasium.Space[Any]
    """The world's."""
    taken: Callable[[Any], np.ndarray]
    """From one of its actions to the model's form of it."""
    limit: int = 0
    """Steps after which an episode is truncated; 0: never."""
    draw: Draw | None = None
    """A picture of an observation without one."""
    fps: float = 30.0
    """Steps per second, as they are meant."""

    def __post_init__(self) -> None:
        missing = [name for name in NEEDED if name not in self.trained.heads]
        if missing:
            raise UserError(
                f"this model has no head for {' and '.join(missing)}, and a dream needs {' and '.join(NEEDED)} (and "
                f"continue, if it can end); it has {', '.join(self.trained.heads) or 'none'}."
            )
        if not len(next(iter(self.firsts.values()))):
            raise UserError("there is no first observation to begin a dream with.")

    @property
    def shown(self) -> dict[str, ArraySpec]:
        """What the model decodes, which may be less than the world shows."""
        trained = self.trained
        shapes = eqx.filter_eval_shape(lambda: trained.heads["decode"](trained.model.initial()))
        return {name: spec for name, spec in trained.spaces.observation.items() if name in shapes}

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """A Dict, unless there is only one thing to see."""
        spaces = {name: space_of(spec) for name, spec in self.shown.items()}
        return gymnasium.spaces.Dict(spaces) if len(spaces) > 1 else next(iter(spaces.values()))

    def as_shown(self, decoded: Observation) -> Any:
        """As the space says."""
        shown = {name: np.asarray(decoded[name], spec.dtype) for name, spec in self.shown.items()}
        return shown if len(shown) > 1 else next(iter(shown.values()))

    def actions(self, native: Any) -> np.ndarray:
        """Of a batch, in the model's form [batch, ...]; `UserError` where one is not of the world's."""
        space = self.action_space
        for action in native:
            if isinstance(space, gymnasium.spaces.Box):  # of any precision; beyond its ends is for the model's form
                fits = np.shape(action) == space.shape and np.isfinite(action).all()
            else:
                fits = space.contains(action)
            if not fits:
                raise UserError(f"an action of this dream is one of {space}, got {action!r}.")
        return np.stack([self.taken(action) for action in native])

    def picture(self, decoded: Observation) -> np.ndarray:
        """Of one observation: the first image in it, or what the world draws of it."""
        for name, spec in sorted(self.shown.items()):
            if spec.kind == "image":
                frame = np.asarray(decoded[name])
                return np.repeat(frame, 3, axis=-1) if frame.shape[-1] == 1 else frame[..., :3]
        drawn = self.draw({name: np.asarray(value) for name, value in decoded.items()}) if self.draw else None
        if drawn is None:
            raise UserError("this dream has no pictures, and its world cannot draw one of an observation.")
        return drawn


class Dream(gymnasium.Env[Any, Any]):
    """One dream. `reset(options={"observation": ...})` begins with what is given, by name, or as is."""

    def __init__(self, scene: Scene, render_mode: str | None = None) -> None:
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": scene.fps}
        self.render_mode = render_mode
        self.observation_space, self.action_space = scene.observation_space, scene.action_space
        self._scene, self._dreams = scene, None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        begins = _beginning(self._scene, (options or {}).get("observation"), self.np_random, 1)
        self._dreams = Dreams.begin(self._scene, begins, int(self.np_random.integers(2**31)))
        return self._scene.as_shown(_one(self._dreams.decoded)), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self._dreams is None:
            raise gymnasium.error.ResetNeeded("a dream begins with reset()")
        rewards, ends, cuts = self._dreams.step(self._scene.actions([action]))
        shown = self._scene.as_shown(_one(self._dreams.decoded))
        return shown, float(rewards[0]), bool(ends[0]), bool(cuts[0]), {}

    def render(self) -> Any:
        if self._dreams is None:
            raise gymnasium.error.ResetNeeded("a dream begins with reset()")
        return self._scene.picture(_one(self._dreams.decoded))


class VectorDream(VectorEnv[Any, Any, Any]):
    """Many dreams at once; one that has ended begins anew with the next step, as Gymnasium's own do."""

    def __init__(self, scene: Scene, count: int) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_fps": scene.fps}
        self.num_envs = count
        self.single_observation_space, self.single_action_space = scene.observation_space, scene.action_space
        self.observation_space = batch_space(self.single_observation_space, count)
        self.action_space = batch_space(self.single_action_space, count)
        self._scene, self._dreams = scene, None
        self._ended = np.zeros(count, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if isinstance(seed, list):
            raise UserError("all dreams of a vector follow from one seed: give a number.")
        super().reset(seed=seed)
        begins = _beginning(self._scene, (options or {}).get("observation"), self.np_random, self.num_envs)
        self._dreams = Dreams.begin(self._scene, begins, int(self.np_random.integers(2**31)))
        self._ended[:] = False
        return self._scene.as_shown(self._dreams.decoded), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if self._dreams is None:
            raise gymnasium.error.ResetNeeded("a dream begins with reset()")
        begins = _beginning(self._scene, None, self.np_random, self.num_envs) if self._ended.any() else None
        rewards, ends, cuts = self._dreams.step(self._scene.actions(actions), self._ended, begins)
        self._ended = ends | cuts
        return self._scene.as_shown(self._dreams.decoded), rewards, ends, cuts, {}


class Dreams:
    """The states of some dreams, and what they show."""

    def __init__(self, scene: Scene, states: Any, decoded: Any, key: Any) -> None:
        self._scene, self._states, self._key = scene, states, key
        self.decoded: Observation = jax.device_get(decoded)
        """[dream, ...] by name."""
        self._lengths, self._now = np.zeros(len(next(iter(self.decoded.values()))), int), 0

    @classmethod
    def begin(cls, scene: Scene, observation: Observation, seed: int) -> "Dreams":
        """With these observations [dream, ...]."""
        key = jr.key(seed)
        return cls(scene, *_begun(scene.trained, dict(observation), jr.fold_in(key, 0)), key)

    def step(
        self, actions: np.ndarray, again: np.ndarray | None = None, begins: Observation | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, ends and cuts [dream]; those that are to begin `again`, with `begins`, take no action."""
        self._now += 1
        key = jr.fold_in(self._key, self._now)
        states, decoded, rewards, ends = _stepped(self._scene.trained, self._states, actions, key)
        self._lengths += 1
        rewards, ends = np.array(rewards, np.float64), np.array(ends)
        if again is not None and begins is not None:
            fresh, shown = _begun(self._scene.trained, dict(begins), jr.fold_in(key, 0))
            states, decoded = _chosen(again, (fresh, shown), (states, decoded))
            self._lengths[again], rewards[again], ends[again] = 0, 0.0, False
        cuts = (self._lengths >= self._scene.limit) & ~ends if self._scene.limit else np.zeros(len(ends), bool)
        self._states, self.decoded = states, jax.device_get(decoded)
        return rewards, ends, cuts


def at_temperature(trained: Trained, temperature: float) -> Trained:
    """The same at another temperature of its dreams."""
    if not hasattr(trained.model, "temperature"):
        raise UserError("the model of this run has no temperature.")
    if not temperature > 0:
        raise UserError(f"a temperature is a number above 0, got {temperature}.")
    hotter = jnp.asarray(temperature, jnp.float32)
    return eqx.tree_at(lambda it: it.model.temperature, trained, hotter)


def space_of(spec: ArraySpec) -> gymnasium.Space[Any]:
    """The Gymnasium space of what the model shows."""
    if spec.kind == "discrete":
        return gymnasium.spaces.MultiDiscrete(list(spec.classes))
    low, high = (0, 255) if spec.kind == "image" else (-np.inf, np.inf)
    return gymnasium.spaces.Box(low, high, spec.shape, np.dtype(spec.dtype).type)


def _beginning(scene: Scene, given: Any, random: np.random.Generator, count: int) -> Observation:
    """What episodes begin with [count, ...]: what is given, or stored first observations drawn at random.

    Given may be what the dream shows: what is not in that the model does not look at, and a stored one has it.
    """
    if given is not None:
        needed = [name for name in scene.firsts if name in scene.shown] or list(scene.firsts)
        if not isinstance(given, Mapping) and len(needed) == 1:
            given = dict.fromkeys(needed, given)  # as the space of a single observation has it
        if not isinstance(given, Mapping):
            raise UserError(f"the observation to begin with must be a dict of {', '.join(needed)}.")
        missing = [name for name in needed if name not in given]
        if missing:
            raise UserError(f"the observation to begin with lacks {', '.join(missing)}; it has {', '.join(given)}.")
        one = {
            name: kept[0] if name not in given else _as_kept(name, given[name], kept)
            for name, kept in scene.firsts.items()
        }
        return {name: np.stack([value] * count) for name, value in one.items()}
    chosen = random.integers(len(next(iter(scene.firsts.values()))), size=count)
    return {name: values[chosen] for name, values in scene.firsts.items()}


def _as_kept(name: str, given: Any, kept: np.ndarray) -> np.ndarray:
    """What is given, as the stored ones [start, ...] are."""
    try:
        value = np.asarray(given)
        there = value.astype(kept.dtype)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} to begin with must be an array of {kept.dtype}: {error}.") from error
    if value.shape != kept.shape[1:]:
        raise UserError(f"{name} to begin with must be of shape {kept.shape[1:]}, got {value.shape}.")
    if kept.dtype.kind in "iu" and not np.array_equal(value, there):
        raise UserError(f"{name} to begin with must be {kept.dtype}, and not all of it is.")
    return there


def _one(decoded: Observation) -> dict[str, np.ndarray]:
    return {name: values[0] for name, values in decoded.items()}


@eqx.filter_jit
def _begun(trained: Trained, observation: Any, key: Any) -> tuple[Any, Any]:
    """States after a first observation each, and what they show."""
    model = trained.model
    nothing = jnp.zeros(trained.spaces.action.width)

    def begin(observation: Any, key: Any) -> Any:
        encoded = model.encode(observation)
        return filter_step(model, model.initial(), nothing, encoded, jnp.ones((), bool), key=key)

    states = jax.vmap(begin)(observation, jr.split(key, len(next(iter(observation.values())))))
    return states, jax.vmap(trained.heads["decode"])(states)


@eqx.filter_jit
def _stepped(trained: Trained, states: Any, actions: Any, key: Any) -> tuple[Any, Any, Any, Any]:
    """States after one action each, what they show and pay, and whether they are ends."""

    def step(state: Any, action: Any, key: Any) -> Any:
        state = trained.model.imagine(state, action_vector(trained.spaces.action, action), key=key)
        goes_on = trained.heads.get("continue", lambda _: jnp.ones(()))
        return state, trained.heads["decode"](state), trained.heads["reward"](state), goes_on(state) < 0.5

    return jax.vmap(step)(states, actions, jr.split(key, len(actions)))


@eqx.filter_jit
def _chosen(which: Any, ones: Any, others: Any) -> Any:
    """Dream by dream, from the one tree or from the other."""

    def choose(one: Any, other: Any) -> Any:
        return jnp.where(which.reshape(-1, *[1] * (one.ndim - 1)), one, other)

    return jax.tree.map(choose, ones, others)
