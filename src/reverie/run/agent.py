"""The agent of a run: a trained policy between native observations and native actions.

Everything that depends on the model's view of the world (which arrays, which scale, what was seen before) happens in
here, so that three lines in any Gymnasium loop are enough. Elsewhere: loading one (`api.py`), the policies themselves
(`behaviours/`, `methods/`).
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from reverie.behaviours.controlled import ControlledPolicy
from reverie.behaviours.dreamed import LONGEST, dreamed_returns
from reverie.behaviours.planning_policy import planning
from reverie.envs.config import EnvironmentConfig
from reverie.envs.dream import at_temperature
from reverie.envs.leaves import resize
from reverie.envs.make import Environment
from reverie.errors import UserError
from reverie.evaluate import returns
from reverie.evaluate.decisions import Decisions, decisions
from reverie.evaluate.returns import Returns
from reverie.protocol import AbstractPolicy, Trained
from reverie.run import exported
from reverie.run.encoded import STARTS
from reverie.run.firsts import first_observations

World = str | Callable[[], Any]
"""An environment: an id, `module:Class`, or a class or function that makes a `gymnasium.Env`."""


class Agent:
    """What a run has learned, ready to act: native Gymnasium observations in, native actions out.

        agent = reverie.load("runs/dreamer3-CartPole-v1-nano-seed0")
        observation, _ = env.reset()
        agent.reset()
        while ...:
            observation, reward, terminated, truncated, _ = env.step(agent.act(observation))

    It remembers what it has seen since `reset`: call that whenever an episode begins. For n environments at once,
    `reset(batch=n)`, and say with `is_first` which of them have just begun another episode. An agent that learned from
    pixels is shown `env.render()`; one that learned with an action repeat acts once every `repeat` simulator steps.
    """

    def __init__(
        self,
        run: Path,
        trained: Trained,
        environment: World,
        options: EnvironmentConfig,
        conversions: Environment,
        step: int = 0,
    ) -> None:
        self.run = run
        """The run folder."""
        self.step = step
        """Simulator steps that it had learned from."""
        self.trained = trained
        """The world model, the policy and the heads."""
        self.environment = environment
        self.options = options
        """How the environment is shown and stepped."""
        self.conversions = conversions
        """Between the environment's form and the model's."""
        self._batch: int | None = None
        self.reset()

    @property
    def repeat(self) -> int:
        """Simulator steps for each action."""
        return self.conversions.repeat

    @property
    def pictures(self) -> Path:
        """Where the folder `media` with its pictures goes: the run; of weights, ./NAME."""
        return Path.cwd() / self.run.name if exported.is_one(self.run) else self.run

    def reset(self, batch: int | None = None, *, seed: int = 0) -> None:
        """Forget everything: an episode begins, or `batch` of them side by side. The seed is of its own choices."""
        if batch is not None and batch < 1:
            raise ValueError(f"Agent.reset: batch must be at least 1, got {batch}")
        self._batch = batch
        initial = self.trained.policy.initial()
        self._carry = jax.tree.map(lambda leaf: jnp.stack([leaf] * (batch or 1)), initial)
        self._begun = np.ones(batch or 1, bool)
        self._key = jr.key(seed)

    def act(self, observation: Any, *, is_first: Any = None) -> Any:
        """The action to take now, as the environment takes it; with a batch, as a vector environment does.

        Args:
            observation: as the environment gives it; with a batch, as a vector environment gives it.
            is_first: of a batch, which begin another episode with this observation.
        """
        count = self._batch or 1
        if self._batch and len(_leaf(observation)) != count:
            raise ValueError(
                f"Agent.act: {len(_leaf(observation))} observations came; after reset(batch={count}) it needs {count}"
            )
        singles = [_at(observation, place) for place in range(count)] if self._batch else [observation]
        rows = [self.conversions.observe(self._picture(single)) for single in singles]
        stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        first = self._begun if is_first is None else self._begun | np.asarray(is_first, bool).reshape(count)
        self._key, key = jr.split(self._key)
        actions, self._carry = _act(self.trained.policy, self._carry, stacked, first, key)
        self._begun = np.zeros(count, bool)
        natives = [self.conversions.act(np.asarray(action)) for action in actions]
        return np.stack(natives) if self._batch else natives[0]

    def evaluate(self, episodes: int = 100, *, seed: int = 0) -> Returns:
        """Plays whole episodes in fresh environments: mean, std, confidence and returns. What it remembers stays."""
        return returns.evaluate(self.trained, self.environment, self.options, episodes=episodes, seed=seed)

    def planning(self, planner: str = "cem", **numbers: Any) -> "Agent":
        """The same run's agent, but one that plans every action in the imagination of its model.

        Args:
            planner: shooting, cem, icem, mppi or gradient.
            numbers: how it plans, by the names of `PlanningConfig` (`horizon=12`, `value=True`) and of the planner's
                own settings (`candidates=200`, of which the elites stay the same share).
        """
        trained = dataclasses.replace(self.trained, policy=planning(self.trained, planner, **numbers))
        return Agent(self.run, trained, self.environment, self.options, self.conversions, self.step)

    def decisions(self, name: str, episodes: int = 10, *, seed: int = 0) -> Decisions:
        """Its returns over whole episodes in fresh environments, and what one decision costs; `name` is its label."""
        return decisions(self.trained, self.environment, self.options, name=name, episodes=episodes, seed=seed)

    def dreamed(self, episodes: int = 100, *, seed: int = 0, temperature: float | None = None) -> Returns:
        """What it scores in its model's dreams, which begin as episodes of its run did and are as long.

        Args:
            episodes: how many.
            seed: of their beginnings and of all dice.
            temperature: of the dreams; the run's own, if not given.
        """
        trained = self.trained if temperature is None else at_temperature(self.trained, temperature)
        policy = trained.policy
        if not isinstance(policy, ControlledPolicy) or "reward" not in trained.heads:
            raise UserError("only where the model says what a dream is worth can one be scored: vmc with --dream.")
        firsts = jax.vmap(policy.world.encode)(jax.tree.map(jnp.asarray, first_observations(self.run, STARTS)))
        parameters = jnp.stack([policy.controller.parameters] * episodes)
        keys, limit = jr.split(jr.key(seed), episodes), self.conversions.limit or LONGEST
        found = dreamed_returns(policy, parameters, firsts, limit=limit, keys=keys)
        totals, lengths = (np.asarray(part).tolist() for part in found)
        return Returns(tuple(totals), tuple(lengths), episodes, returns.bootstrap(np.array(totals), seed=seed))

    def _picture(self, observation: Any) -> Any:
        """An agent that learned from pixels may be shown the bare picture, of any size."""
        if not self.options.pixels or isinstance(observation, dict):
            return observation
        side, picture = self.options.size, np.asarray(observation)
        return {"image": resize(picture, side) if side and picture.shape[:2] != (side, side) else picture}


@eqx.filter_jit
def _act(policy: AbstractPolicy[Any], carry: Any, observation: Any, is_first: Any, key: Any) -> tuple[Any, Any]:
    """One action for each of a batch."""

    def act(carry: Any, observation: Any, is_first: Any, key: Any) -> tuple[Any, Any]:
        return policy.act(carry, observation, is_first, key=key)

    return jax.vmap(act)(carry, observation, is_first, jr.split(key, len(is_first)))


def _leaf(observation: Any) -> Any:
    """Some array of a batch of observations."""
    while isinstance(observation, dict | tuple) and len(observation) and not _is_texts(observation):
        observation = next(iter(observation.values())) if isinstance(observation, dict) else observation[0]
    return observation


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) for part in value)


def _at(batched: Any, place: int) -> Any:
    """One of a batch of observations, as vector environments stack them."""
    if isinstance(batched, dict):
        return {name: _at(part, place) for name, part in batched.items()}
    if isinstance(batched, tuple) and not _is_texts(batched):
        return tuple(_at(part, place) for part in batched)
    return batched[place]
