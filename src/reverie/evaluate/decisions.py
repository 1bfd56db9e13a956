"""What deciding brings and what it costs: returns in the real world, beside steps imagined and milliseconds spent.

Milliseconds are those of one decision for one environment, after the compilation: the median of some, one after the
other as an episode needs them. Episodes are played side by side, so they take less in all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import equinox as eqx
import jax
import numpy as np

from reverie.behaviours.planner_config import model_calls
from reverie.behaviours.planning_policy import PlanningPolicy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.evaluate.returns import Returns, evaluate
from reverie.protocol import AbstractPolicy, Trained

TIMED = 11
"""Decisions whose median is taken."""


@dataclass(frozen=True)
class Decisions:
    """One way of acting."""

    name: str
    """The planner, or `policy` for a run's own."""
    candidates: int
    """Plans that are compared at once; 0 for a policy that plans nothing."""
    calls: int
    """Steps that are imagined for each decision."""
    milliseconds: float
    """Each takes."""
    returns: Returns
    """Of whole episodes."""

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        costs = {"model_calls": self.calls, "milliseconds": self.milliseconds}
        return {"planner": self.name, "candidates": self.candidates, **costs, **self.returns.to_json()}


def decisions(
    trained: Trained,
    environment: str | Callable[[], Any],
    options: EnvironmentConfig,
    *,
    name: str,
    episodes: int,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Decisions:
    """Times the policy of `trained`, then plays episodes with it.

    Args:
        trained: whose policy acts, planning or not.
        environment, options: the world.
        name: what it is called.
        episodes, seed: see `returns.evaluate`.
        clock: seconds.
    """
    policy, candidates, calls = trained.policy, 0, 0
    if isinstance(policy, PlanningPolicy):
        candidates, calls = policy.settings.candidates, model_calls(policy.settings, policy.config)
    world = make(environment, options)
    try:
        observation = world.reset(seed).observation
    finally:
        world.close()
    spent = milliseconds(policy, observation, clock=clock)
    return Decisions(
        name, candidates, calls, spent, evaluate(trained, environment, options, episodes=episodes, seed=seed)
    )


def milliseconds(policy: AbstractPolicy[Any], observation: dict[str, Any], *, clock: Callable[[], float]) -> float:
    """Of one decision, seeing this over and over."""
    carry, spent = policy.initial(), []
    for turn, key in enumerate(jax.random.split(jax.random.key(0), 1 + TIMED)):
        begun = clock()
        _, carry = jax.block_until_ready(_act(policy, carry, observation, np.asarray(turn == 0), key))
        spent.append(clock() - begun)
    return 1000 * median(spent[1:])  # the first was compiled


@eqx.filter_jit
def _act(policy: AbstractPolicy[Any], carry: Any, observation: Any, is_first: Any, key: Any) -> tuple[Any, Any]:
    return policy.act(carry, observation, is_first, key=key)
