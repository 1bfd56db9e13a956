"""Reality beside a dream, along the same actions, and how far the two are apart.

Beside every dreamt step the model also looks at the real one, in secret. The latent error is how far the dream's state
is from that one, as a share of its length. The picture's error has two measures beside it: that of what the model draws
when it looks (no dream can be better), and that of repeating the last picture it saw (knowing nothing of the dynamics).
A dream has stopped being useful where

    error(dream) - error(looking) > error(last picture seen)           `STREAK` steps on end; the first of them counts

Errors are those of `evaluate.open_loop`, over all that the model decodes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from reverie.errors import UserError
from reverie.evaluate.open_loop import row_error
from reverie.studio import mind
from reverie.studio.mind import Shown
from reverie.studio.reality import Real, Reality
from reverie.studio.scenery import Scenery, as_pixels
from reverie.studio.timeline import Moment, Timeline

STREAK = 8


@dataclass(frozen=True)
class Seen:
    """A moment of reality, and what the model would make of it if it looked."""

    real: Real
    shown: Shown
    looking: float
    """Error of what it draws then."""


class Beside:
    """The reality of one play.

    Args:
        scenery: the run.
        seed: of the world.
        key: everything random follows from it.
    """

    def __init__(self, scenery: Scenery, reality: Reality, seed: int, key: Any) -> None:
        self._scenery, self._reality, self._seed, self._key = scenery, reality, seed, key
        self._seen: dict[int, Seen] = {}
        self._streak: dict[int, int] = {}
        self._parted: dict[int, int] = {}

    def __contains__(self, moment: Moment) -> bool:
        return moment.number in self._seen

    def begin(self) -> Seen:
        """The world's first observation, looked at: moment 0."""
        scenery = self._scenery
        real = self._reality.reset(self._seed)
        nothing = np.zeros(scenery.spec.shape, scenery.spec.dtype)
        shown = scenery.mind.look(scenery.mind.blank, nothing, real.observation, first=True, key=self._key)
        self._seen[0] = Seen(real, shown, self._error(real, shown.decoded))
        return self._seen[0]

    def at(self, moment: Moment, timeline: Timeline) -> Seen | None:
        """Reality there, if need be stepped along the actions that led there; None beyond its end."""
        for step in timeline.path(moment.number):
            if step.number not in self._seen:
                found = self.step(timeline[step.parent], step.action, step.dice, timeline)
                if found is None:
                    return None
                self._seen[step.number] = found
        return self._seen[moment.number]

    def step(self, before: Moment, action: np.ndarray | None, dice: int, timeline: Timeline) -> Seen | None:
        """Reality after an action; of none, as it was. None beyond its end, and where nobody looked before."""
        known = self._seen.get(before.number)
        if known is None or action is None or known.real.over:
            return known if action is None else None
        past = [it.action for it in timeline.path(before.number) if it.action is not None]
        self._reality.bring(self._seed, past, known.real)
        real = self._reality.step(action)
        key = mind.dice(self._key, dice, 3)
        shown = self._scenery.mind.look(known.shown.state, action, real.observation, first=False, key=key)
        return Seen(real, shown, self._error(real, shown.decoded))

    def note(self, moment: Moment, seen: Seen) -> None:
        """That this is how reality was there."""
        self._seen[moment.number] = seen

    def errors(self, moment: Moment, shown: Shown, timeline: Timeline) -> dict[str, float]:
        """Those of `wire.COLUMNS`, of a moment where reality is known."""
        seen = self._seen.get(moment.number)
        if seen is None:
            return {}
        looked = next(step for step in timeline.path(moment.number)[::-1] if step.how in ("begin", "watch"))
        last = self._seen[looked.number].real.observation
        length = float(np.linalg.norm(seen.shown.latent))
        found = {
            "pixel": self._error(seen.real, shown.decoded),
            "latent": float(np.linalg.norm(shown.latent - seen.shown.latent)) / max(length, 1e-9),
            "copied": self._error(seen.real, {name: last[name] for name in shown.decoded}),
            "looking": seen.looking,
            "paid": seen.real.reward,
        }
        worse = moment.dreamt > 0 and found["pixel"] - found["looking"] > found["copied"]
        self._streak[moment.number] = self._streak.get(moment.parent, 0) + 1 if worse else 0
        return found

    def parted(self, moment: Moment, timeline: Timeline) -> int | None:
        """The moment at which the dream that led here stopped being useful; None if it has not."""
        if moment.dreamt == 0:
            return None
        if self._streak.get(moment.number) == STREAK and moment.parent not in self._parted:
            self._parted[moment.number] = timeline.path(moment.number)[-STREAK].number
        elif moment.parent in self._parted:
            self._parted[moment.number] = self._parted[moment.parent]
        return self._parted.get(moment.number)

    def picture(self, moment: Moment, timeline: Timeline) -> np.ndarray | None:
        """Of reality there; None where it draws none."""
        seen = self._seen[moment.number]
        drawn = self._reality.picture(seen.real, is_here=False)
        if drawn is not None:
            return drawn
        past = [it.action for it in timeline.path(moment.number) if it.action is not None]
        self._reality.bring(self._seed, past, seen.real)
        return self._reality.picture(seen.real, is_here=True)

    def real(self, moment: Moment) -> Real | None:
        """What reality showed there, if that is known."""
        seen = self._seen.get(moment.number)
        return None if seen is None else seen.real

    def _error(self, real: Real, decoded: Mapping[str, Any]) -> float:
        specs = self._scenery.world.spaces.observation
        errors = []
        for name, guess in decoded.items():
            spec = specs[name]
            drawn = as_pixels(guess) if spec.kind == "image" else np.asarray(guess, spec.dtype)
            errors.append(float(row_error(spec, real.observation[name][None], drawn[None])[0]))
        return float(np.mean(errors)) if errors else float("nan")


def reality_of(scenery: Scenery) -> Reality:
    """A world of one's own; `UserError` says why there is none."""
    if scenery.no_reality:
        raise UserError(f"reality is not here: {scenery.no_reality}")
    return scenery.reality()
