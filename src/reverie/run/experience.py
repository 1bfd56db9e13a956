"""What an agent learns from: environments that it acts in, the replay they fill, and the batches that are due.

    collect(policy)     one step of every environment into the replay; what that step entitles to is owed
    batches()           the stacks of batches owed by now, each followed by `write_back` of what it gave
    keep                what is due: checkpoints, snapshots
    save, restore       everything here that a checkpoint needs, next to the trainer's own state

Train ratio: every agent step entitles to `train_ratio` replayed steps, that is train_ratio / (batch * length) updates,
once `prefill` rows were collected and the replay holds batch * length windows; every episode that ends to so many more.
Batches are drawn one stack ahead, by a thread, from the rows inserted when the stack before was taken; latents are read
when it is taken. It all depends on counters, never on timing.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray, PyTree

from reverie.data.prefetch import Prefetch
from reverie.data.replay import Replay, steps_in
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.envs.pool import Pool
from reverie.errors import UserError
from reverie.protocol import AbstractPolicy
from reverie.run import devices, given, runs
from reverie.run.collect import Collector, Episode
from reverie.run.run import Run
from reverie.run.settings import check_range
from reverie.types import Sequence, Step

LONGEST = 10_000
"""Rows of an episode at most, where its end is what entitles to updates: the replay keeps as many for late draws."""
LEAST_RATIO = 1e-3
"""Replayed steps per agent step below which it is nothing; rows must be kept until their batch comes."""


@dataclass(frozen=True)
class ExperienceConfig:
    """How much is collected, kept and replayed."""

    environments: int = 16
    """Environments stepped side by side."""
    workers: int = 0
    """Processes that host them; 0: the trainer's own."""
    train_ratio: float = 256.0
    """Replayed steps per agent step; updates per agent step are train_ratio / (batch * length)."""
    updates_per_episode: int = 0
    """Updates when an episode ends, on top of those of the train ratio (PlaNet's 100)."""
    prefill: int = 0
    """Agent steps before the first update."""
    pretrain: int = 1
    """Updates that are due then."""
    capacity: int = 5_000_000
    """Agent steps kept in the replay."""
    gibibytes: float = 8.0
    """Memory that the replay may take; the smaller of the two limits holds."""
    given: str = ""
    """Experience to begin with: a run, or a folder that the studio kept of a play (`run.given`)."""
    dispatch: int = 1
    """Updates per compiled call; they share the latents stored before it."""

    def __post_init__(self) -> None:
        check_range(self, ("environments", "capacity", "dispatch", "pretrain"), 1)
        check_range(self, ("workers", "train_ratio", "gibibytes", "updates_per_episode", "prefill"), 0)
        if 0 < self.train_ratio < LEAST_RATIO:
            raise ValueError(
                f"ExperienceConfig.train_ratio must be 0, or at least {LEAST_RATIO:g}; got {self.train_ratio}"
            )


class Stack(NamedTuple):
    """Batches for one compiled call: windows [dispatch, batch, 1 + length] and the latents of their first rows."""

    sequence: Sequence
    context: dict[str, np.ndarray]


Latents = Mapping[str, tuple[tuple[int, ...], str]]
"""Name -> shape and dtype of what a model stores with each row."""
Remember = Callable[[Any], Mapping[str, Any]]
"""From a policy's memory of one environment to these arrays."""


class Experience:
    """Environments, replay, and the account between them; a context manager.

    Args:
        environment, options: as `envs.pool.Pool` takes them.
        config: how much.
        batch, length: windows per update, and steps of each that losses are taken of.
        seed: of environments, draws and actions.
        online: whether every row is replayed once before others are drawn again (DreamerV3's).
    """

    def __init__(
        self,
        environment: str | Factory,
        options: EnvironmentConfig,
        config: ExperienceConfig,
        *,
        batch: int,
        length: int,
        seed: int,
        online: bool = True,
    ) -> None:
        self._online = online
        self._config, self._batch, self._length, self._seed = config, batch, length, seed
        self._pool = Pool(environment, options, count=config.environments, workers=config.workers, seed=seed)
        self._prefetch: Prefetch | None = None
        self._owed = 0.0
        self._taken = 0  # batches handed out so far
        self._elsewhere = 0  # simulator steps in other copies of the environment
        self.skipped, self.skipped_in_a_row = 0, np.int32(0)
        """Updates that were skipped: so far, and lately without one in between that was not (for `dispatch`)."""

    @property
    def spaces(self) -> Any:
        """What the environments show and take."""
        return self._pool.spaces

    @property
    def replay(self) -> Replay:
        """What was collected, for methods that do not learn from windows of it as it comes."""
        return self._replay

    @property
    def steps(self) -> int:
        """Simulator steps so far."""
        return self._collector.steps + self._elsewhere

    def played(self, lengths: int) -> None:
        """So many agent steps were made in other copies of the environment: they count."""
        self._elsewhere += lengths * self._pool.repeat

    @property
    def filling(self) -> bool:
        """Whether there is not enough yet to learn from."""
        full = self._replay.inserted > self._replay.capacity  # then more were collected than are held
        rows, windows = self._replay.inserted if full else self._replay.held, len(self._replay)
        return self._prefetch is None and (rows < self._config.prefill or windows < self._batch * self._length)

    @property
    def owing(self) -> bool:
        """Whether a stack is due."""
        return self._prefetch is not None and self._owed >= self._config.dispatch

    @property
    def troubles(self) -> dict[str, int]:
        """What went wrong so far and was dealt with, for the log: updates, environments, rows that were not finite."""
        return {"skipped": self.skipped, "failures": self._pool.failures, "mended": self._pool.mended}

    def begin(self, policy: AbstractPolicy[Any], latents: Latents, remember: Remember, *, key: PRNGKeyArray) -> None:
        """The policy whose memory every environment starts with; what is stored with each row, and how to take it."""
        rows, streams, lag = self._length + 1, self._config.environments, self._lag
        allowed = steps_in(self._config.gibibytes, self.spaces, latents, streams=streams, lag=lag)
        capacity = min(self._config.capacity, allowed)
        needed = streams * (rows - 1 + -(-self._batch * self._length // streams))
        if capacity < needed:
            limit = "capacity" if self._config.capacity < needed else "gibibytes"
            raise UserError(
                f"The replay would hold {max(capacity, 0):,} steps; {streams} environments and updates of "
                f"{self._batch} sequences of {self._length} steps need {needed:,}. Raise --config.experience.{limit}."
            )
        self._replay = Replay(
            self.spaces, latents, streams=streams, length=rows, capacity=capacity, seed=self._seed, lag=lag,
            online=self._online,
        )  # fmt: skip
        self._collector = Collector(self._pool, self._replay)
        self._acting = Acting(policy, streams, remember, key=key)

    @property
    def _lag(self) -> int:
        """Rows per environment that are added while the batches of a stack wait for their turn."""
        config, rows = self._config, list[int]()  # that either way of earning updates lets pass; none: nothing is drawn
        if config.train_ratio:
            steps = config.dispatch * self._batch * self._length / (config.train_ratio * config.environments)
            rows.append(math.ceil(steps) + 1)
        if config.updates_per_episode:
            rows.append(LONGEST * -(-config.dispatch // config.updates_per_episode))
        return min(rows, default=0)

    def collect(self, policy: AbstractPolicy[Any]) -> list[Episode]:
        """One step of every environment; the episodes that ended with it. None while stacks are owed from the last."""
        if self.owing:
            return []
        episodes = self._collector.step(lambda row: self._acting(policy, row))
        config = self._config
        learns = config.train_ratio or config.updates_per_episode
        if self._prefetch is None and learns and not self.filling:
            self._draw_ahead([self._replay.inserted] * config.dispatch)
            self._owed = float(config.pretrain)
        if self._prefetch is not None:
            self._owed += self._pool.count * config.train_ratio / (self._batch * self._length)
            self._owed += config.updates_per_episode * len(episodes)
        return episodes

    def batches(self, give_way: Callable[[], bool] = lambda: False) -> Iterator[Stack]:
        """The stacks that are due, as long as nothing asks to `give_way`; `write_back` is called after each of them."""
        while self._prefetch is not None and self.owing:
            self._owed -= self._config.dispatch
            drawn = [self._prefetch.take() for _ in range(self._config.dispatch)]
            self._taken += len(drawn)
            if len(self._replay):
                for _ in drawn:
                    self._prefetch.ask(self._replay.inserted)
            else:  # so much was lost that there is nothing to draw from until more is collected
                self._prefetch.close()
                self._prefetch = None
            ids = np.stack([batch.ids for batch in drawn])
            self._ids = ids[:, :, 1:]
            sequence = jax.tree.map(lambda *leaves: np.stack(leaves), *[batch.sequence for batch in drawn])
            stack = Stack(sequence, self._replay.latents(ids[:, :, 0]))
            yield devices.spread(stack, self._batch)
            if give_way():
                return

    def write_back(self, latents: Mapping[str, Any], skipped: Any) -> None:
        """What the last stack gave.

        Args:
            latents: what the model now remembers at its rows [dispatch, batch, length], the context excepted.
            skipped: of each of its updates [dispatch], how many in a row were skipped up to it; what those that were
                skipped remember is not kept.
        """
        latents, skipped = jax.device_get((latents, skipped))
        good = np.asarray(skipped) == 0
        self._replay.write_back(self._ids[good], {name: value[good] for name, value in latents.items()})
        self.count(skipped)

    def count(self, skipped: Any) -> None:
        """Of each of some updates, how many in a row were skipped up to it."""
        self.skipped += int((np.asarray(skipped) > 0).sum())
        self.skipped_in_a_row = np.int32(skipped[-1])

    def keep(self, run: Run, learner: Any) -> None:
        """What is due: a snapshot of `learner.model` (once nothing is owed, so that a step has one), a checkpoint."""
        if not self.owing and run.due("snapshot", self.steps):
            run.snapshot(self.steps, learner.model)
        if run.due("checkpoint"):
            self.save(run, learner)

    def save(self, run: Run, learner: PyTree, **more: Any) -> None:
        """A checkpoint of the learner and of all that is here; `more` counters tell it from the one before."""
        counters = {"owed": self._owed, "taken": self._taken, "acts": self._acting.acts, "elsewhere": self._elsewhere}
        counters["asked"] = self._prefetch.pending if self._prefetch else []
        counters |= {"skipped": self.skipped, "skipped_in_a_row": int(self.skipped_in_a_row), **more}
        state = {"learner": learner, "memory": self._acting.memory}
        run.save(self.steps, state, counters, self._replay, self._collector)

    def restore(self, run: Run, learner: PyTree) -> PyTree:
        """The learner of the newest checkpoint, with all that is here put back too; the one given before the first."""
        restored = run.restore({"learner": learner, "memory": self._acting.memory}, self._replay, self._collector)
        if restored is None:
            if self._config.given:
                run.note(given.take_in(runs.find(self._config.given), self._replay, self.spaces))
            return learner
        state, counters, source = restored
        self._check(counters, source)
        self._owed, self._taken, self._elsewhere = counters["owed"], counters["taken"], counters["elsewhere"]
        self.skipped, self.skipped_in_a_row = counters["skipped"], np.int32(counters["skipped_in_a_row"])
        self._acting.memory, self._acting.acts = state["memory"], counters["acts"]
        if counters["asked"] and all(map(self._replay.windows, counters["asked"])):  # or so much is lost: begin anew
            self._draw_ahead(counters["asked"])
        return state["learner"]

    def __enter__(self) -> "Experience":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._prefetch is not None:
            self._prefetch.close()
        self._pool.close()

    def _check(self, counters: Mapping[str, Any], source: Path) -> None:
        """What `save` counted: nothing else is gone on from."""
        whole = [counters.get(name) for name in ("taken", "acts", "elsewhere", "skipped", "skipped_in_a_row")]
        asked = counters.get("asked")
        fits = isinstance(asked, list) and isinstance(counters.get("owed"), int | float)
        fits = fits and all(type(number) is int and number >= 0 for number in [*whole, *(asked or [])])
        if not fits or max(asked or [0]) > self._replay.inserted:
            raise UserError(
                f"{source} is whole, but does not say how far the collecting was. "
                "Use the version of Reverie that wrote it, or start again with --new.",
                code=64,
            )

    def _draw_ahead(self, uptos: list[int]) -> None:
        self._prefetch = Prefetch(self._replay, self._batch, start=self._taken)
        for upto in uptos:
            self._prefetch.ask(upto)


class Acting:
    """A policy at work in many environments: its memory of each, and the clock that its keys are made of."""

    def __init__(self, policy: AbstractPolicy[Any], count: int, remember: Remember, *, key: PRNGKeyArray) -> None:
        self.memory = jax.tree.map(lambda leaf: jnp.stack([leaf] * count), policy.initial())
        self.acts = 0
        self._remember, self._key = remember, key

    def __call__(self, policy: AbstractPolicy[Any], row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Actions for a row of every environment, and the latents to store with it."""
        key = jr.fold_in(self._key, self.acts)
        outcome = _act(policy, self._remember, self.memory, row.observation, row.is_first, key)
        self.memory = outcome[1]
        self.acts += 1
        return jax.device_get(outcome[::2])


@eqx.filter_jit
def _act(policy, remember, memory, observation, is_first, key):
    """One action per environment, the new memories, and what to store of them."""

    def act(carry, observation, is_first, key):
        return policy.act(carry, observation, is_first, key=key)

    action, memory = jax.vmap(act)(memory, observation, is_first, jr.split(key, len(is_first)))
    return action, memory, jax.vmap(remember)(memory)
