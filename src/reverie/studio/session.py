"""One play: a person (or the agent, or both) in a dream, beside reality if that is wanted, with a way back.

    tick      s' from s and an action: imagined, or looked at where reality is here and the eyes are open
    seek      to any moment of the timeline; going on from there is a branch
    frame     the moment as the page shows it, and the numbers of every step since the frame before

All that is random follows from the seed and the numbers of moments. Nothing here waits, and nothing knows of sockets:
`stage` calls, `tell` takes what is to be said. Elsewhere: reality (`beside`), the model (`mind`), the moments
(`timeline`), what is kept of them (`keep`).
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.random as jr
import numpy as np

from reverie.errors import UserError
from reverie.studio import mind
from reverie.studio.beside import Beside, Seen, reality_of
from reverie.studio.mind import Shown
from reverie.studio.pictures import numbers_pane, pane, thumbnail
from reverie.studio.player import Player
from reverie.studio.reality import Reality
from reverie.studio.scenery import Scenery
from reverie.studio.timeline import Moment, Timeline
from reverie.studio.wire import COLUMNS, FLAGS, HOWS, MOST_ROWS, Frame, Pane

IDLE = 600.0
"""Seconds without a word from the page after which a play pauses."""
VISITED = 400
"""Moments whose states say which latents vary."""


class Session:
    """One play of a run.

    Args:
        scenery: the run.
        tell: takes JSON for the page.
        seed: of the dice and of the world.
    """

    def __init__(self, scenery: Scenery, tell: Callable[[dict[str, Any]], None], seed: int = 0) -> None:
        self.scenery, self.tell = scenery, tell
        self.playing, self.over, self.waiting, self.eyes = True, False, False, False
        self.view, self.speed, self.horizon = "dream", 1.0, 0
        self.player = Player(scenery)
        self.temperature = scenery.mind.temperature
        self.dirty = self.whole = True
        """Whether something is to be shown; whether with the numbers of the whole line."""
        self._heard = time.monotonic()
        self._input = self._frames = self._micros = 0
        self._reality: Reality | None = None
        self.begin({"origin": "memory" if scenery.no_reality else "world", "number": seed, "row": 0})

    # --------------------------------------------------------------------------------------------- what the page says

    def handle(self, message: dict[str, Any]) -> None:
        """One message that `wire.checked` has let through; what cannot be done is told."""
        self._heard = time.monotonic()
        said = {name: value for name, value in message.items() if name != "type"}
        try:
            getattr(self, f"_on_{message['type']}")(**said)
        except UserError as error:
            self.tell({"type": "trouble", "text": str(error)})

    def _on_ack(self, frame: int) -> None:
        """The server's business."""

    def _on_input(self, seq: int, held: list[str]) -> None:
        self.player.hold(held)
        self._input = seq

    def _on_play(self, on: bool) -> None:
        self.playing, self.over, self.dirty = on, False, True

    def _on_step(self) -> None:
        self.playing, self.over = False, False
        self._advance(self._chosen(insist=True))

    def _on_player(self, who: str) -> None:
        self.player.become(who)

    def _on_view(self, what: str) -> None:
        if what != "dream":
            self._beside().at(self.timeline[self.at], self.timeline)
            self._again()
        self.view, self.dirty = what, True

    def _on_eyes(self, on: bool) -> None:
        if on and self.view == "dream":
            self._on_view("both")
        self.eyes, self.dirty = on, True

    def _on_speed(self, factor: float) -> None:
        self.speed = float(factor)

    def _on_temperature(self, value: float) -> None:
        if not self.scenery.mind.has_temperature:
            raise UserError("this model has no temperature, and its guess is not categorical.")
        self.temperature = float(value)

    def _on_horizon(self, steps: int) -> None:
        if steps and self.view == "dream":
            self._on_view("both")
        self.horizon = steps

    def _on_seek(self, moment: int) -> None:
        if moment >= len(self.timeline):
            raise UserError(f"there is no moment {moment} in this play.")
        self.at, self.playing, self.over, self.dirty = moment, False, False, True
        if moment not in self._line:
            self._turn_to(self.timeline.tip(self.timeline[moment].branch))
        if self.view != "dream":
            self._beside().at(self.timeline[moment], self.timeline)
            self._again()

    def _on_path(self) -> None:
        self.whole = self.dirty = True

    def _on_tree(self) -> None:
        self.tell({"type": "tree", **self.timeline.outline(self.at, self._thumbnail)})

    def _on_dials(self) -> None:
        path = self.timeline.path(self.at)[-VISITED:]
        self._dials = mind.dials([moment.state for moment in path])
        self.tell({"type": "dials", "dials": self._dials})

    def _on_turn(self, dial: int, value: float) -> None:
        if dial >= len(self._dials):
            raise UserError("there is no such slider; open them again.")
        now, where, self.playing = self.timeline[self.at], self._dials[dial], False
        shown = self.scenery.mind.read(mind.turned(now.state, where, value))
        if now.how == "edit" and self.timeline.is_last(now.number):  # turned further: only where it ends counts
            self._change(now, shown)
        else:
            self._arrive(now, "edit", None, shown)

    def _on_begin(self, origin: str, number: int, row: int) -> None:
        self.begin({"origin": origin, "number": number, "row": row})

    # ------------------------------------------------------------------------------------------------- what happens

    def begin(self, origin: dict[str, Any], observation: dict[str, np.ndarray] | None = None) -> None:
        """Anew: with a world's first observation, a stored one, after rows of an episode, or with one that is given."""
        key, beside = jr.key(origin["number"]), None
        if observation is not None:
            shown = self._looked(observation, key)
        elif origin["origin"] == "world":
            beside = self._world(origin["number"], key)
            shown = beside.begin().shown
        elif origin["origin"] == "memory":
            shown = self._looked(self.scenery.first(origin["number"]), key)
        else:
            shown = self._watched(origin["number"], origin["row"], key)
        self._set(origin, key, shown, beside)

    def follow(self, origin: dict[str, Any], state: Any) -> None:
        """Anew, in a state that was kept; what followed it is added by `add`."""
        key, beside = jr.key(origin["number"]), None
        if origin["origin"] == "world" and not self.scenery.no_reality:
            beside = self._world(origin["number"], key)
            beside.begin()
        self._set(origin, key, self.scenery.mind.read(state), beside)

    def add(self, how: str, action: np.ndarray | None, dice: int, temperature: float, state: Any = None) -> Moment:
        """A step that was kept: dreamt again where no state is given."""
        now, mind_ = self.timeline[self.at], self.scenery.mind
        if state is None:
            shown = mind_.dream(now.state, action, temperature, key=mind.dice(self._key, dice))
        else:
            shown = mind_.read(state)
        return self._arrive(now, how, action, shown, dice=dice, temperature=temperature)

    def _world(self, seed: int, key: Any) -> Beside:
        self._reality = self._reality or reality_of(self.scenery)
        return Beside(self.scenery, self._reality, seed, key)

    def _set(self, origin: dict[str, Any], key: Any, shown: Shown, beside: Beside | None) -> None:
        if beside is None:
            self.view, self.eyes, self.horizon = "dream", False, 0
        self.origin, self._key, self.reality = origin, key, beside
        self.timeline = Timeline(sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(shown.state)))
        self._rows, self._thumbs, self._dials = dict[int, np.ndarray](), dict[int, str](), list[dict[str, Any]]()
        self._parted: int | None = None
        first = self.timeline.add(-1, "begin", None, shown.state, shown.numbers)
        self._rows[0], self._now = self._row(first, shown), (0, shown)
        self.at, self.over, self.dirty = 0, False, True
        self._turn_to(0)
        self.tell({"type": "begun", **origin})

    def tick(self) -> None:
        """One step, if there is anything to do."""
        if not self.playing:
            return
        if time.monotonic() - self._heard > IDLE:
            self._pause("Paused: nobody has touched anything for ten minutes.")
            return
        if self.player.thinks(self.timeline[self.at], self._dice):
            return
        action = self._chosen()
        self.dirty |= self.waiting != (action is None)
        self.waiting = action is None
        self._advance(action)

    def _chosen(self, *, insist: bool = False) -> np.ndarray | None:
        """What is done now; None: the world waits for a key."""
        return self.player.choice(self.timeline[self.at], self._dice, insist=insist)

    @property
    def _dice(self) -> Any:
        """Of the next choice."""
        return mind.dice(self._key, len(self.timeline), 7)

    def _advance(self, action: np.ndarray | None) -> None:
        """One step with an action; nothing happens without."""
        if action is None:
            return
        if self.timeline.is_full:
            self._pause("The timeline is full: keep what you want of it, and begin again.")
            return
        begun, now, seen = time.perf_counter(), self.timeline[self.at], None
        if self.view != "dream" and self.reality is not None:
            seen = self.reality.step(now, action, len(self.timeline), self.timeline)
        if seen is not None and (self.eyes or (self.horizon and now.dreamt >= self.horizon)):
            how, shown = "watch", seen.shown
        else:
            key = mind.dice(self._key, len(self.timeline))
            how, shown = "dream", self.scenery.mind.dream(now.state, action, self.temperature, key=key)
        self._arrive(now, how, action, shown, seen)
        self._micros = int((time.perf_counter() - begun) * 1e6)
        self._end(shown, seen)

    def _arrive(
        self, now: Moment, how: str, action: np.ndarray | None, shown: Shown, seen: Seen | None = None, *,
        dice: int | None = None, temperature: float | None = None,
    ) -> Moment:  # fmt: skip
        temperature = self.temperature if temperature is None else temperature
        moment = self.timeline.add(
            now.number, how, action, shown.state, shown.numbers, temperature=temperature, dice=dice
        )
        if self.reality is not None and how == "edit":
            seen = self.reality.step(now, None, moment.dice, self.timeline)
        if self.reality is not None and seen is not None:
            self.reality.note(moment, seen)
        self._rows[moment.number] = self._row(moment, shown)
        follows = self._line[-1] == now.number and moment.branch == now.branch
        self.at, self.dirty, self._now = moment.number, True, (moment.number, shown)
        if follows:
            self._line.append(moment.number)
        else:
            self._turn_to(moment.number)
        self._judge(moment)
        return moment

    def _change(self, now: Moment, shown: Shown) -> None:
        """Another state at the last moment of the line."""
        moment = self.timeline.change(now.number, shown.state, shown.numbers)
        self._rows[moment.number], self._now = self._row(moment, shown), (moment.number, shown)
        self._thumbs.pop(moment.number, None)
        self._sent, self.dirty = min(self._sent, len(self._line) - 1), True
        self._judge(moment)

    def _end(self, shown: Shown, seen: Seen | None) -> None:
        """Whether it is over here, and why."""
        goes_on = float(shown.numbers[mind.NUMBERS.index("continue")])
        depth, limit, why = self.timeline[self.at].depth, self.scenery.world.limit, ""
        if seen is not None and seen.real.over:
            why = f"The world ended after {depth} steps."
        elif goes_on < 0.5 and self.view != "reality":
            why = f"The dream ended after {depth} steps: to the model, its end is likelier than not."
        elif limit and depth >= limit:
            why = f"Time is up: in this world an episode has {limit} steps."
        if why:
            self.over = True
            self._pause(why, kind="over")

    def _pause(self, text: str, kind: str = "paused") -> None:
        self.playing, self.dirty = False, True
        self.tell({"type": kind, "text": text})

    def _beside(self) -> Beside:
        if self.reality is None:
            reason = self.scenery.no_reality
            raise UserError(
                f"Reality is not here: {reason}"
                if reason
                else "This dream did not begin in the world, so there is no reality beside it. Begin in the world."
            )
        return self.reality

    def _looked(self, observation: dict[str, np.ndarray], key: Any) -> Shown:
        """A first observation."""
        mind_, spec = self.scenery.mind, self.scenery.spec
        return mind_.look(mind_.blank, np.zeros(spec.shape, spec.dtype), observation, first=True, key=key)

    def _watched(self, number: int, row: int, key: Any) -> Shown:
        """The state after the rows of a stored episode up to this one; of a long one the last 200."""
        rows, mind_ = self.scenery.episode(number), self.scenery.mind
        row = min(row, len(rows.reward) - 1)
        begin = max(0, row - 200)
        at = lambda place: {name: values[place] for name, values in rows.observation.items()}
        shown = self._looked(at(begin), key)
        for place in range(begin + 1, row + 1):
            before, dice = rows.action[place - 1], mind.dice(key, place)
            shown = mind_.look(shown.state, before, at(place), first=False, key=dice)
        return shown

    # -------------------------------------------------------------------------------------------- what is shown of it

    def frame(self) -> Frame:
        """The moment as it is now, with the numbers of what happened since the last frame."""
        self._frames, self.dirty = self._frames + 1, False
        numbers = self._line if self.whole else self._line[self._sent :]
        self._sent = len(self._line)
        on = {"paused": not self.playing, "over": self.over, "waiting": self.waiting, "eyes": self.eyes}
        flags = sum(FLAGS[name] for name, is_on in (on | {"whole": self.whole}).items() if is_on)
        panes, self.whole = self._panes(anew=self.whole), False
        rows = np.array([self._rows[number] for number in numbers[-MOST_ROWS:]], np.float32).reshape(-1, len(COLUMNS))
        return Frame(self.at, self._frames, self._input, self._micros, flags, tuple(panes), rows)

    def _panes(self, *, anew: bool) -> list[Pane]:
        """What the view shows: the dream, reality, or both; reality as it ended, where that is to be drawn `anew`."""
        moment, found = self.timeline[self.at], list[Pane]()
        if self.view != "reality":
            if self._now[0] != moment.number:
                self._now = moment.number, self.scenery.mind.read(moment.state)
            shown = self._now[1]
            numbers = _vector(shown.decoded) if shown.decoded else shown.latent
            found.append(_pane("dream", self.scenery.drawn(shown), numbers))
        if self.reality is None or self.view == "dream":
            return found
        path = self.timeline.path(self.at) if anew else [moment]
        there = next((step for step in reversed(path) if step in self.reality), None)
        if there is not None and (real := self.reality.real(there)) is not None:
            found.append(_pane("reality", self.reality.picture(there, self.timeline), _vector(real.observation)))
        return found

    def _row(self, moment: Moment, shown: Shown) -> np.ndarray:
        """What `COLUMNS` name."""
        found = dict.fromkeys(COLUMNS, float("nan")) | dict(zip(mind.NUMBERS, shown.numbers.tolist(), strict=True))
        if moment.how == "begin":  # which pays nothing, and is no end
            found |= dict.fromkeys(("reward", "continue"), float("nan"))
        found |= {"moment": moment.number, "depth": moment.depth, "how": HOWS.index(moment.how)}
        found |= {} if moment.action is None else {"action": float(moment.action.reshape(-1)[0])}
        found |= {} if self.reality is None else self.reality.errors(moment, shown, self.timeline)
        return np.array([found[name] for name in COLUMNS], np.float32)

    def _again(self) -> None:
        """Reality is now known along the line, so its errors are too."""
        for moment in self.timeline.path(self.at):
            self._rows[moment.number] = self._row(moment, self.scenery.mind.read(moment.state))
            self._judge(moment)
        self.whole = True

    def _judge(self, moment: Moment) -> None:
        """Tells once where the dream stopped being useful."""
        parted = self.reality.parted(moment, self.timeline) if self.reality is not None else None
        if parted != self._parted:
            self._parted = parted
            self.tell({"type": "parted", "moment": parted, "steps": parted and self.timeline[parted].dreamt})

    def _turn_to(self, tip: int) -> None:
        """The line from the beginning to this moment is what the page draws."""
        self._line = [moment.number for moment in self.timeline.path(tip)]
        self.whole, self._sent = True, 0

    def _thumbnail(self, number: int) -> str:
        if number not in self._thumbs:
            picture = self.scenery.drawn(self.scenery.mind.read(self.timeline[number].state))
            self._thumbs[number] = "" if picture is None else thumbnail(picture)
        return self._thumbs[number]


def _pane(kind: str, picture: np.ndarray | None, numbers: np.ndarray) -> Pane:
    """The picture, or where there is none the numbers."""
    return numbers_pane(kind, numbers) if picture is None else pane(kind, picture)


def _vector(observation: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.asarray(values, np.float32).reshape(-1) for values in observation.values()])
