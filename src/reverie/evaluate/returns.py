"""Play whole episodes in the real world: how well an agent does, and one episode to look at.

Episode k of `seed` is the same whatever is played beside it: its world's seed and its action keys are functions of
(seed, k) alone. Several worlds are stepped in lockstep so that the policy sees one batch; a world that ends its episode
takes the next number that nobody has taken, and every number that was begun is played to its end. So exactly the asked
episodes count, once each, and short ones do not crowd out long ones.

Lengths count the agent's steps; one of them is `Environment.repeat` steps of the simulator.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.protocol import AbstractPolicy, Trained
from reverie.types import Sequence, Spaces, Step

_DOMAIN = 0x6576616C  # keeps these seeds apart from those that training draws from the same number


@dataclass(frozen=True)
class Returns:
    """Undiscounted returns of whole episodes, in the order of their numbers."""

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    episodes: int
    """How many were asked for; fewer are there where `stop` interrupted."""
    confidence: tuple[float, float]
    """95 % confidence interval of the mean (percentile bootstrap over episodes)."""

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns)) if self.returns else float("nan")

    @property
    def std(self) -> float:
        """Of the episodes, not of the mean."""
        return float(np.std(self.returns)) if self.returns else float("nan")

    @property
    def n(self) -> int:
        return len(self.returns)

    @property
    def complete(self) -> bool:
        """False where `stop` interrupted: then the returns favour short episodes."""
        return self.n == self.episodes

    def to_json(self) -> dict[str, Any]:
        """What `reverie eval --json` prints."""
        return {
            "mean": self.mean,
            "std": self.std,
            "episodes": self.n,
            "confidence": list(self.confidence),
            "returns": list(self.returns),
            "lengths": list(self.lengths),
        }


class Recording(NamedTuple):
    """One episode, with its pictures."""

    sequence: Sequence
    """n + 1 rows in model form; the last action is zero and was never executed."""
    frames: np.ndarray | None
    """uint8 (time, height, width, 3), one per row, or None where the world draws nothing."""
    fps: float
    """Rows per second as the environment means them."""


class Row(NamedTuple):
    """One row of one episode while it is played."""

    slot: int
    episode: int
    step: Step
    action: np.ndarray


def evaluate(
    trained: Trained,
    environment: str | Callable[[], Any],
    config: EnvironmentConfig | None = None,
    *,
    episodes: int = 100,
    seed: int = 0,
    slots: int = 16,
    stop: Callable[[], bool] = lambda: False,
) -> Returns:
    """Plays episodes 0 to `episodes` - 1 of `seed`, up to `slots` side by side, until done or `stop()` says so."""
    if episodes < 1:
        raise ValueError(f"evaluate needs episodes >= 1, got {episodes}")
    worlds = _open(environment, config, min(slots, episodes), trained.spaces)
    returns, lengths = np.zeros(episodes), np.zeros(episodes, int)
    finished = np.zeros(episodes, bool)
    try:
        for row in play(trained.policy, worlds, range(episodes), seed=seed):
            returns[row.episode] += float(row.step.reward)
            lengths[row.episode] += not row.step.is_first
            finished[row.episode] = row.step.terminated or row.step.truncated
            if stop():
                break
    finally:
        for world in worlds:
            world.close()
    played = returns[finished]
    confidence = bootstrap(played, seed=seed)
    return Returns(tuple(played.tolist()), tuple(lengths[finished].tolist()), episodes, confidence)


def record(
    trained: Trained,
    environment: str | Callable[[], Any],
    config: EnvironmentConfig | None = None,
    *,
    episode: int = 0,
    seed: int = 0,
    rows: int = 1000,
    render: bool = True,
) -> Recording:
    """Plays one episode of `evaluate` again and keeps its first `rows` rows; with `render`, their pictures too."""
    (world,) = _open(environment, config, 1, trained.spaces, render=render)
    steps, actions, frames = [], [], []
    try:
        for row in play(trained.policy, [world], [episode], seed=seed):
            steps.append(row.step)
            actions.append(row.action)
            frames += [np.array(world.render())] if render else []
            if len(steps) == rows:
                break
    finally:
        world.close()
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *steps)
    if not (steps[-1].terminated or steps[-1].truncated):  # we stopped watching, so the last row is cut like any other
        stacked.truncated[-1] = True
        actions[-1] = np.zeros_like(actions[-1])
    sequence = Sequence(stacked.observation, np.stack(actions), *stacked[1:])
    return Recording(sequence, np.stack(frames) if frames else None, world.fps)


def play(
    policy: AbstractPolicy[Any], worlds: list[Environment], episodes: range | list[int], *, seed: int
) -> Iterator[Row]:
    """Every row of the given episodes, in lockstep; actions are zero in last rows and not executed there."""
    waiting = iter(episodes)
    owner = [next(waiting) for _ in worlds]
    clock = [0] * len(worlds)
    steps = [world.reset(_world_seed(seed, episode)) for world, episode in zip(worlds, owner, strict=True)]
    live = set(range(len(worlds)))
    carry = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(worlds)), policy.initial())
    key = jr.key(seed)
    while live:
        observation = jax.tree.map(lambda *leaves: np.stack(leaves), *[step.observation for step in steps])
        is_first = np.array([step.is_first for step in steps])
        actions, carry = _act(policy, carry, observation, is_first, key, np.array(owner), np.array(clock))
        actions = np.asarray(actions)
        for slot in sorted(live):
            step = steps[slot]
            last = bool(step.terminated or step.truncated)
            action = np.zeros_like(actions[slot]) if last else actions[slot]
            yield Row(slot, owner[slot], step, action)
            if not last:
                steps[slot], clock[slot] = worlds[slot].step(action), clock[slot] + 1
                continue
            following = next(waiting, None)
            if following is None:
                live.remove(slot)
            else:
                owner[slot], clock[slot] = following, 0
                steps[slot] = worlds[slot].reset(_world_seed(seed, following))


def bootstrap(values: np.ndarray, *, seed: int, resamples: int = 10_000, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean under resampling with replacement; NaN for no values."""
    if len(values) == 0:
        return float("nan"), float("nan")
    random = np.random.default_rng([_DOMAIN, seed])
    means = values[random.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@eqx.filter_jit
def _act(policy, carry, observation, is_first, key, episodes, clocks):
    """One action per slot; the key of an action is a function of (seed, episode, step)."""

    def act(carry, observation, is_first, episode, clock):
        action_key = jr.fold_in(jr.fold_in(key, episode), clock)
        return policy.act(carry, observation, is_first, key=action_key)

    return jax.vmap(act)(carry, observation, is_first, episodes, clocks)


def _world_seed(seed: int, episode: int) -> int:
    """31 bits, since some simulators take a signed number."""
    return int(np.random.SeedSequence([_DOMAIN, seed, episode]).generate_state(1)[0] >> 1)


def _open(
    environment: str | Callable[[], Any],
    config: EnvironmentConfig | None,
    count: int,
    spaces: Spaces,
    *,
    render: bool = False,
) -> list[Environment]:
    worlds = [make(environment, config, render=render) for _ in range(count)]
    if worlds[0].spaces != spaces:
        for world in worlds:
            world.close()
        raise UserError(
            f"This agent cannot act in {worlds[0].id}: it was trained on {spaces}, but the environment shows "
            f"{worlds[0].spaces}. Evaluate it in the environment and with the settings it was trained with."
        )
    return worlds
