"""Five worlds whose best return is known, each impossible for an agent that lacks one faculty.

reverie/Bandit-v0   to learn at all: one step, four arms, the third pays 1
reverie/Delay-v0    credit: the first choice pays 0.2 at once, or 1 after `DELAY` steps
reverie/End-v0      ends: 0.1 per step until the clock cuts the episode after `STAY` steps, or 1 at once and the
                    world is over; who forgets that a terminal state is worth nothing takes the 1
reverie/Memory-v0   memory: the first observation alone says which action is right `WAIT` steps later
reverie/Point-v0    numbers: a point is pushed, at most `PUSH` in a step, for `PUSHES` steps; in the middle a step pays
                    1, `FAR` from it, where the point begins, 0; who always pushes as hard as possible jumps across
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np

ARMS, GOOD_ARM = 4, 2
DELAY = 6
STAY = 30
WAIT = 4
FAR, PUSH, PUSHES = 0.4, 0.2, 3

OPTIMAL = {
    "reverie/Bandit-v0": 1.0,
    "reverie/Delay-v0": 1.0,
    "reverie/End-v0": 0.1 * STAY,
    "reverie/Memory-v0": 1.0,
    "reverie/Point-v0": 2.75,
}
"""Return of the best policy."""
RANDOM = {
    "reverie/Bandit-v0": 1 / ARMS,
    "reverie/Delay-v0": 0.6,
    "reverie/End-v0": 1.1 * (1 - 0.5**STAY),
    "reverie/Memory-v0": 0.5,
    "reverie/Point-v0": -0.5,
}
"""Expected return of a uniformly random policy."""


class Outcome(NamedTuple):
    """Where an action leads; `secret` is what the world remembers and need not show."""

    observation: tuple[float, float]
    secret: float
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False


@dataclass(frozen=True)
class Rules:
    """A world in two functions."""

    labels: tuple[str, str]
    actions: tuple[str, ...]
    """Choices, or where there is one alone a number in [-1, 1]."""
    first: Callable[[np.random.Generator], Outcome]
    then: Callable[[int, Any, Any], Outcome]
    """From the time (0 for the first action), the action and the secret."""


def bandit(time: int, action: int, secret: int) -> Outcome:
    return Outcome((0.0, 1.0), 0, float(action == GOOD_ARM), terminated=True)


def delay(time: int, action: int, choice: int) -> Outcome:
    now = time == 0 and action == 0
    choice = choice or (1 if action == 1 else -1)
    over = time + 1 == DELAY
    return Outcome(
        ((time + 1) / DELAY, float(choice)), choice, 0.2 * now + float(over and choice == 1), terminated=over
    )


def end(time: int, action: int, secret: int) -> Outcome:
    if action == 1:
        return Outcome((0.0, 1.0), 0, 1.0, terminated=True)
    return Outcome((1.0, 0.0), 0, 0.1, truncated=time + 1 == STAY)


def memory(time: int, action: int, cue: int) -> Outcome:
    answered = time == WAIT
    return Outcome((0.0, float(time + 1 == WAIT)), cue, float(answered and action == cue), terminated=answered)


def cue(rng: np.random.Generator) -> Outcome:
    right = int(rng.integers(2))
    return Outcome((2.0 * right - 1, 0.0), right)


def point(time: int, push: float, position: float) -> Outcome:
    position += PUSH * push
    return Outcome((position, 0.0), position, 1 - (position / FAR) ** 2, terminated=time + 1 == PUSHES)


def beside(rng: np.random.Generator) -> Outcome:
    position = FAR * (2 * int(rng.integers(2)) - 1)
    return Outcome((position, 0.0), position)


WORLDS = {
    "Bandit": Rules(
        ("waiting", "over"), tuple(f"arm {n}" for n in range(ARMS)), lambda _: Outcome((1.0, 0.0), 0), bandit
    ),
    "Delay": Rules(("time", "choice"), ("now", "later"), lambda _: Outcome((0.0, 0.0), 0), delay),
    "End": Rules(("here", "gone"), ("stay", "leave"), lambda _: Outcome((1.0, 0.0), 0), end),
    "Memory": Rules(("cue", "question"), ("left", "right"), cue, memory),
    "Point": Rules(("position", "nothing"), ("push",), beside, point),
}


class Toy(gymnasium.Env[np.ndarray, Any]):
    """One of `WORLDS`: two numbers in [-1, 1], a few choices or a number, a clock."""

    def __init__(self, world: str, render_mode: str | None = None) -> None:
        rules = WORLDS[world]
        self.metadata = {"render_modes": [], "labels": {"observation": rules.labels, "action": rules.actions}}
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        box, choices = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32), gymnasium.spaces.Discrete(len(rules.actions))
        self.action_space: gymnasium.spaces.Space[Any] = choices if len(rules.actions) > 1 else box
        self.rules, self.time, self.secret = rules, 0, 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        outcome = self.rules.first(self.np_random)
        self.time, self.secret = 0, outcome.secret
        return np.array(outcome.observation, np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        chosen = np.asarray(action).item()
        outcome = self.rules.then(self.time, chosen, self.secret)
        self.time, self.secret = self.time + 1, outcome.secret
        observation = np.array(outcome.observation, np.float32)
        return observation, outcome.reward, outcome.terminated, outcome.truncated, {}


def register() -> None:
    """Makes them known to Gymnasium by their ids."""
    for world in WORLDS:
        gymnasium.register(f"reverie/{world}-v0", entry_point="reverie.envs.toy:Toy", kwargs={"world": world})
