"""What all plays of one run share: its model, its controls, where its dreams may begin, and how a state is drawn."""

from functools import cached_property
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np

from reverie import api
from reverie.errors import UserError
from reverie.run import exported
from reverie.run.encoded import STARTS
from reverie.run.firsts import first_observations
from reverie.run.stored import Stored, keeps
from reverie.studio import mind
from reverie.studio.controls import Controls
from reverie.studio.mind import Mind, Shown
from reverie.studio.nearest import Nearest
from reverie.studio.pictures import rgb
from reverie.studio.reality import Reality
from reverie.types import ArraySpec, Sequence

LOOKED = 400
"""Rows that stand for reality where a model has no decoder."""


class Scenery:
    """A run, loaded.

    Args:
        run: its folder.
        environment: of a run in a class of the user's own: that class's name again.
    """

    def __init__(self, run: str, environment: str | None = None) -> None:
        self.run = Path(run)
        self.agent = api.load(run, environment=environment)
        self.mind = Mind(self.agent.trained)
        self.world = self.agent.conversions
        self.spec: ArraySpec = self.world.spaces.action
        self.controls = Controls(self.spec, self._idle())
        self._firsts: dict[str, np.ndarray] | None = None
        self._stored: Stored | None = None
        self.no_reality = ""
        """Why the world is not here; empty where it is."""
        try:
            self.reality().close()
        except UserError as error:
            self.no_reality = str(error)

    @property
    def fps(self) -> float:
        """Steps per second, as the world means them."""
        return min(max(self.world.fps, 1.0), 120.0)

    def reality(self) -> Reality:
        """A world of one's own; `UserError` where it is not here."""
        return Reality(self.agent.environment, self.agent.options)

    @property
    def firsts(self) -> dict[str, np.ndarray]:
        """Observations that episodes began with [start, ...]."""
        if self._firsts is None:
            self._firsts = first_observations(self.run, STARTS)
        return self._firsts

    def first(self, number: int) -> dict[str, np.ndarray]:
        """One of them, counted round."""
        count = len(next(iter(self.firsts.values())))
        return {name: values[number % count] for name, values in self.firsts.items()}

    def episode(self, number: int) -> Sequence:
        """One of those that the run keeps; `UserError` where there is no such one."""
        if exported.is_one(self.run):
            raise UserError("these are weights: they came without the episodes that they were learned from.")
        self._stored = self._stored or Stored(self.run, check=False)
        return self._stored.sequence(number)

    def drawn(self, shown: Shown) -> np.ndarray | None:
        """Of a state: what the model decodes; without a decoder, the nearest real frame and where the state lies."""
        return self.picture(shown.decoded) if shown.decoded else self.nearest.picture(shown.latent)

    @cached_property
    def nearest(self) -> Nearest:
        """Rows that the run keeps, of the newest episodes and at most `LOOKED` of them, as the model sees them."""
        stored = self._stored = self._stored or Stored(self.run, check=False)
        latents, frames, names = list[np.ndarray](), list[np.ndarray | None](), list[str]()
        for number in reversed(range(len(stored.episodes))):
            rows, state, action = stored.sequence(number), self.mind.blank, np.zeros(self.spec.shape, self.spec.dtype)
            for place in range(min(len(rows.reward), LOOKED - len(latents))):
                observation = {name: values[place] for name, values in rows.observation.items()}
                looked = self.mind.look(state, action, observation, first=not place, key=jr.key(len(latents)))
                state, action = looked.state, rows.action[place]
                latents.append(looked.latent)
                frames.append(self.picture(observation))
                names.append(f"episode {number}, step {place}")
        return Nearest(np.stack(latents), frames, names)

    def picture(self, decoded: dict[str, np.ndarray]) -> np.ndarray | None:
        """Of what the model decodes: its first image, or what the world draws of its numbers; None where neither is."""
        for name, spec in sorted(self.world.spaces.observation.items()):
            if spec.kind == "image" and name in decoded:
                return rgb(as_pixels(decoded[name]))
        if not decoded:
            return None
        return self.world.draw({name: np.asarray(value) for name, value in decoded.items()})

    @property
    def image(self) -> tuple[str, ArraySpec] | None:
        """The name and form of the image that the model sees, if it sees one."""
        return next(
            ((name, spec) for name, spec in sorted(self.world.spaces.observation.items()) if spec.kind == "image"), None
        )

    def to_json(self) -> dict[str, Any]:
        """What the page has to know before the first frame."""
        about = self.agent.trained.spaces.observation
        return {
            "run": self.run.name,
            "world": self.world.id,
            "step": self.agent.step,
            "fps": self.fps,
            "image": self.image is not None,
            "observation": {
                name: {"kind": spec.kind, "shape": list(spec.shape), "labels": list(spec.labels)}
                for name, spec in about.items()
            },
            "actions": self.controls.to_json(),
            "numbers": [name for name in mind.NUMBERS if name not in self.mind.lacks],
            "lacks": self.mind.lacks,
            "temperature": self.mind.temperature if self.mind.has_temperature else None,
            "agent": self.mind.has_agent,
            "planner": self.mind.has_planner,
            "reality": not self.no_reality,
            "noReality": self.no_reality,
            "beginnings": len(next(iter(self.firsts.values()))),
            "episodes": keeps(self.run) and not exported.is_one(self.run),
        }

    def _idle(self) -> np.ndarray | None:
        """Zero, where actions are numbers and it is one of them."""
        if self.spec.kind != "continuous":
            return None
        space = self.world.action_space
        native = np.zeros(space.shape or (), space.dtype)
        return self.world.taken(native) if space.contains(native) else np.zeros(self.spec.shape, np.float32)


def as_pixels(decoded: Any) -> np.ndarray:
    """Bytes; a decoder may give pixels as numbers between whole ones."""
    values = np.asarray(decoded)
    return values if values.dtype == np.uint8 else np.clip(np.rint(values), 0, 255).astype(np.uint8)
