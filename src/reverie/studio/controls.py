"""What a person can do in a world: a control for every choice and direction, with a name and keys to begin with.

Keys are those of the browser's `KeyboardEvent.code`; a person may choose others. Two that are held together mean the
choice whose name has both words (`up` and `right`: `upright`); where there is none, the later one. Free of jax.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reverie.types import ArraySpec

IDLE = {"noop", "nothing", "none", "coast", "stay", "no-op", "wait", "idle"}
"""What a choice is called that does nothing."""
WORDS: dict[str, tuple[str, ...]] = {
    "left": ("ArrowLeft", "KeyA"),
    "right": ("ArrowRight", "KeyD"),
    "up": ("ArrowUp", "KeyW"),
    "down": ("ArrowDown", "KeyS"),
    "forward": ("ArrowUp", "KeyW"),
    "backward": ("ArrowDown", "KeyS"),
    "gas": ("ArrowUp", "KeyW"),
    "brake": ("ArrowDown", "KeyS"),
    "fire": ("Space",),
    "jump": ("Space",),
    "toggle": ("Space",),
    "attack": ("Space",),
    "pickup": ("KeyZ",),
    "drop": ("KeyX",),
}
"""Words in names, and the keys that people expect."""
SPARE = tuple(f"Digit{digit}" for digit in (1, 2, 3, 4, 5, 6, 7, 8, 9, 0))
AXES = (
    (("ArrowLeft", "KeyA"), ("ArrowRight", "KeyD")),
    (("ArrowDown", "KeyS"), ("ArrowUp", "KeyW")),
    (("KeyJ",), ("KeyL",)),
    (("KeyK",), ("KeyI",)),
    (("KeyF",), ("KeyH",)),
    (("KeyG",), ("KeyT",)),
)
"""Less and more of the elements of a continuous action."""


@dataclass(frozen=True)
class Control:
    """Something to hold."""

    id: str
    name: str
    element: int
    """Of the action."""
    value: float
    """That it takes while this is held, in the model's form."""
    keys: tuple[str, ...]


class Controls:
    """All that can be held in a world.

    Args:
        spec: of the action.
        idle: the action that does nothing, if the world says so: zero of a continuous one.
    """

    def __init__(self, spec: ArraySpec, idle: np.ndarray | None = None) -> None:
        self.spec = spec
        self.all = _choices(spec) if spec.kind == "discrete" else _directions(spec)
        self.idle = _idle(spec) if spec.kind == "discrete" else idle
        """What is done when nothing is held; None: the world waits."""
        self._by_id = {control.id: control for control in self.all}

    def action(self, held: Sequence[str]) -> np.ndarray | None:
        """Of what is held, the latest last; None where that is nothing, and nothing cannot be done."""
        known = [self._by_id[id] for id in held if id in self._by_id]
        if not known:
            return None if self.idle is None else self.idle.copy()
        base = self.idle if self.idle is not None else np.zeros(self.spec.shape, self.spec.dtype)
        action = base.copy()
        for control in known:
            action[control.element] = control.value
        together = set().union(*(_words(control.name) for control in known))
        both = [control for control in self.all if len(known) > 1 and _words(control.name) == together]
        if both and len(self.spec.classes) == 1:
            action[0] = both[0].value
        return action

    def named(self, action: np.ndarray) -> str:
        """An action in words."""
        if self.spec.kind == "continuous":
            return " ".join(f"{value:+.2f}" for value in action.tolist())
        names = [self.all_of(element)[int(value)].name for element, value in enumerate(action)]
        return ", ".join(names)

    def all_of(self, element: int) -> list[Control]:
        """The controls of one element, in the order of their values."""
        return [control for control in self.all if control.element == element]

    def to_json(self) -> dict[str, Any]:
        """As the page knows them."""
        return {"controls": [asdict(control) for control in self.all], "waits": self.idle is None}


def _choices(spec: ArraySpec) -> list[Control]:
    spare, taken, found = list(SPARE), set[str](), list[Control]()
    for element, count in enumerate(spec.classes):
        for value in range(count):
            single = len(spec.classes) == 1
            name = spec.labels[value] if spec.labels and single else f"choice {value}"
            name = name if single else f"{element + 1}: {name}"
            words = _words(name)
            keys = WORDS[next(iter(words))] if len(words) == 1 else ()
            keys = tuple(key for key in keys if key not in taken)
            if not keys and name.lower() not in IDLE and spare and len(words) < 2:
                keys = (spare.pop(0),)
            taken |= set(keys)
            found.append(Control(f"{element}.{value}", name, element, float(value), keys))
    return found


def _directions(spec: ArraySpec) -> list[Control]:
    found = []
    for element in range(spec.shape[0]):
        name = spec.labels[element] if len(spec.labels) == spec.shape[0] else f"action {element + 1}"
        less, more = AXES[element] if element < len(AXES) else ((), ())
        found.append(Control(f"{element}-", f"{name} -", element, -1.0, less))
        found.append(Control(f"{element}+", f"{name} +", element, 1.0, more))
    return found


def _idle(spec: ArraySpec) -> np.ndarray | None:
    names = [name.lower() for name in spec.labels]
    place = next((place for place, name in enumerate(names) if name in IDLE), None)
    return None if place is None or len(spec.classes) != 1 else np.array([place], spec.dtype)


def _words(name: str) -> set[str]:
    """The words of `WORDS` in a name."""
    text = re.sub(r"[^a-z]", "", name.lower())
    found = {word for word in WORDS if word in text}
    return {word for word in found if not any(word in other for other in found - {word})}
