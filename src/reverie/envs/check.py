"""Does an environment keep the rules? Plays it for a moment and reports; nothing is taken on trust.

`reverie envs check ID` prints the report, one line per question, in the order in which one would ask.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.environment import Environment
from reverie.envs.make import Factory, make
from reverie.envs.pool import episode_seed
from reverie.types import ArraySpec, Step

EPISODES = 20
STEPS = 300
SECONDS = 10.0
"""The play ends after so many episodes, steps beyond one episode, or seconds, whichever comes first."""


def check(environment: str | Factory, config: EnvironmentConfig | None = None) -> dict[str, Any]:
    """What a short random play shows, by question. Raises UserError where the environment breaks its promises."""
    world, twin = make(environment, config), make(environment, config)
    try:
        episodes, seconds = _play(world)
        rows = [row for episode in episodes for row in episode]
        return {
            "environment": world.id,
            "observation": {name: _sentence(spec) for name, spec in world.spaces.observation.items()},
            "dropped": list(world.dropped),
            "action": _sentence(world.spaces.action),
            "simulator steps per action": world.repeat,
            "steps per second": round((len(rows) - len(episodes)) / seconds),
            "reward": _rewards(rows),
            "episodes": _lengths(episodes),
            "ends": _ends(episodes),
            "with a clock of 5 steps": _clocked(environment, config or EnvironmentConfig()),
            # the twin is new, the world has played: a seed must wipe the past
            "same seed, same episode": _same(_episode(twin, 0), _episode(world, 0)),
            "other seed, other episode": not _same(_episode(world, 0), _episode(world, 1, actions=0)),
        }
    finally:
        world.close()
        twin.close()


def _play(world: Environment) -> tuple[list[list[Step]], float]:
    begin, steps = time.monotonic(), 0
    episodes: list[list[Step]] = []
    while len(episodes) < EPISODES and steps < STEPS and time.monotonic() - begin < SECONDS:
        episodes.append(_episode(world, len(episodes)))
        steps += len(episodes[-1]) - 1
    return episodes, max(time.monotonic() - begin, 1e-9)


def _episode(world: Environment, number: int, *, actions: int | None = None) -> list[Step]:
    """The episode of a number, with the random actions of the same number unless told otherwise."""
    rng = np.random.default_rng(number if actions is None else actions)
    rows = [world.reset(episode_seed(0, 0, number))]
    while len(rows) <= STEPS and not (rows[-1].terminated or rows[-1].truncated):
        rows.append(world.step(random_action(world.spaces.action, rng)))
    return rows


def random_action(spec: ArraySpec, rng: np.random.Generator) -> np.ndarray:
    """A uniformly random action in the model's form."""
    if spec.kind == "discrete":
        return rng.integers(0, spec.classes, spec.shape).astype(np.int32)
    return rng.uniform(-1, 1, spec.shape).astype(np.float32)


def _clocked(environment: str | Factory, config: EnvironmentConfig) -> str:
    """How an episode ends that is not given the time."""
    world = make(environment, replace(config, time_limit=5))
    try:
        episode = _episode(world, 0)
    finally:
        world.close()
    if episode[-1].truncated and not episode[-1].terminated:
        return f"cut after {len(episode) - 1} (truncated)"
    return f"the world ended after {len(episode) - 1} (terminated)" if episode[-1].terminated else "never ends"


def _same(one: list[Step], other: list[Step]) -> bool:
    if len(one) != len(other):
        return False
    pairs = zip(one, other, strict=True)
    return all(
        a[1:] == b[1:] and all(np.array_equal(a.observation[name], b.observation[name]) for name in a.observation)
        for a, b in pairs
    )


def _sentence(spec: ArraySpec) -> str:
    size = "x".join(str(length) for length in spec.shape)
    if spec.kind == "discrete":
        size = f"{spec.shape[0]} of " + " or ".join(str(classes) for classes in sorted(set(spec.classes)))
    named = f" ({', '.join(spec.labels)})" if spec.labels else ""
    return f"{spec.kind} {size}{named}"


def _rewards(rows: list[Step]) -> dict[str, float]:
    rewards = [float(row.reward) for row in rows if not row.is_first] or [0.0]
    return {"lowest": min(rewards), "mean": round(float(np.mean(rewards)), 6), "highest": max(rewards)}


def _lengths(episodes: list[list[Step]]) -> dict[str, int | float]:
    over = [len(episode) - 1 for episode in episodes if episode[-1].terminated or episode[-1].truncated]
    if not over:
        return {"finished": 0}
    return {"finished": len(over), "shortest": min(over), "mean": round(float(np.mean(over)), 1), "longest": max(over)}


def _ends(episodes: list[list[Step]]) -> dict[str, int]:
    last = [episode[-1] for episode in episodes]
    both = sum(bool(row.terminated and row.truncated) for row in last)
    ended, cut = sum(bool(row.terminated) for row in last), sum(bool(row.truncated) for row in last)
    return {
        "world ended (terminated)": ended - both,
        "cut by the clock (truncated)": cut - both,
        "both at once": both,
        "still running": len(last) - ended - cut + both,
    }
