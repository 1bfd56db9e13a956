"""Who acts in a play, and what is done next: a person's keys, the agent, the planner, or chance."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax.random as jr
import numpy as np

from reverie.errors import UserError
from reverie.studio.scenery import Scenery
from reverie.studio.timeline import Moment

CHANCE = 0.15
"""How often random play chooses anew."""
THINKING = ThreadPoolExecutor(1, "planner")
"""All planners of a stage, one decision after the other, so that those who do not plan go on meanwhile."""


class Player:
    """The hands of one play.

    Args:
        scenery: the run.
    """

    def __init__(self, scenery: Scenery) -> None:
        self.who = "both" if scenery.mind.has_agent else "person"
        self._scenery = scenery
        self._held, self._tapped = list[str](), list[str]()
        self._plan: tuple[Moment, Future[np.ndarray]] | None = None

    def become(self, who: str) -> None:
        """Another one acts; `UserError` where the model does not let it."""
        if who in ("agent", "both") and not self._scenery.mind.has_agent:
            raise UserError("this method's agent does not act on the states of its model, so it cannot act in a dream.")
        if who == "planner" and not self._scenery.mind.has_planner:
            raise UserError("there is nothing to plan for: the model has no reward head.")
        self.who = who

    def hold(self, held: list[str]) -> None:
        """What the person holds now; what was let go since the last choice counts once."""
        self._tapped += [id for id in held if id not in self._held and id not in self._tapped]
        self._held = held

    def thinks(self, now: Moment, key: Any) -> bool:
        """Whether the planner is still at work on this moment; it is set to work if it is not."""
        return self.who == "planner" and not self._planned(now, key).done()

    def choice(self, now: Moment, key: Any, *, insist: bool = False) -> np.ndarray | None:
        """What is done at this moment, in the model's form; None: the world waits for a key.

        Args:
            now: the moment.
            key: its dice.
            insist: where it would wait, something is done by chance.
        """
        held = self._held + [id for id in self._tapped if id not in self._held]
        self._tapped = []
        who = self.who if self.who != "both" else "person" if held else "agent"
        if who == "agent":
            return self._scenery.mind.act(now.state, key=key)
        if who == "planner":
            return self._planned(now, key).result()
        if who == "random":
            return self._erratic(now, key)
        action = self._scenery.controls.action(held)
        return self._erratic(now, key) if action is None and insist else action

    def _planned(self, now: Moment, key: Any) -> Future[np.ndarray]:
        if self._plan is None or self._plan[0] is not now:
            self._plan = now, THINKING.submit(self._scenery.mind.plan, now.state, key=key)
        return self._plan[1]

    def _erratic(self, now: Moment, key: Any) -> np.ndarray:
        """What was done before, mostly; else something drawn evenly."""
        draw = np.random.default_rng(np.asarray(jr.key_data(key)).tolist())
        spec = self._scenery.spec
        if now.action is not None and draw.random() > CHANCE:
            return now.action
        if spec.kind == "continuous":
            return draw.uniform(-1, 1, spec.shape).astype(spec.dtype)
        return draw.integers(0, spec.classes).astype(spec.dtype)
