"""A run is a folder: what it is, what it measured, and where to go on from.

    manifest.json  metrics.jsonl  evaluations.jsonl  restarts.jsonl  checkpoints/  snapshots/  replay/  media/  lock

A trainer enters it (`with run:`), restores, asks `finished`, `due` and `stop` in its loop, and calls `log` and `save`:

    while not run.finished(step):
        ...
        if run.due("checkpoint"):        # also true as soon as a signal asks to stop
            run.save(step, state, counters, replay, collector)
        if run.stop:
            break

Logging and evaluation are due by steps, never by the clock, so that a resumed run writes the same lines.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from operator import floordiv
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import PyTree

from reverie.data import chunks, durable
from reverie.data.replay import Replay
from reverie.errors import UserError
from reverie.run import checkpoints, exported, log, manifest, snapshots, tree
from reverie.run.budget import Budget
from reverie.run.collect import Collector
from reverie.run.folder import is_begun, refuse_foreign, set_aside
from reverie.run.lock import Lock
from reverie.run.signals import Signals

EVERY: dict[str, float] = {"checkpoint": 60, "log": 500, "evaluate": 0, "snapshot": snapshots.FIRST}
"""What is due how often: checkpoints in seconds, the others in simulator steps (0: never). A manifest may differ.

Snapshots become rarer: see there."""

SHARE = 0.1
"""Of the time, the most that is spent on saving: where a checkpoint is large, the next one comes later."""

Progress = Callable[[int, Mapping[str, Any]], None]

_logger = logging.getLogger("reverie")


class Run:
    """A run folder that exists. Reading needs no more; to write, enter it.

    Args:
        directory: of the run.
        description: its manifest.
    """

    def __init__(self, directory: Path, description: dict[str, Any]) -> None:
        self.directory = directory.absolute()  # an environment may change the folder that we stand in
        self.manifest = description
        self.step = 0
        """Simulator steps, as `finished` or `restore` was last told."""
        self.at: int | None = None
        """The step as of which `weights` gives what was learned: of the nearest snapshot. None: as of the newest."""
        self.loaded: Any = None  # what `weights` gave
        self.progress: Progress | None = None
        """Called with the step and what was logged; with nothing logged, a few times per second."""
        self.stop = 0
        """The number of the signal that asked to stop, or 0; looked at by `finished` and `due("checkpoint")`."""
        self._every = EVERY | description.get("every", {})
        self._due: dict[str, int] = {}  # what -> the step at which it was last due
        self._log = log.Log(self.directory / log.FILE)
        self._signals = Signals()
        self._lock: Lock | None = None
        self._before = 0.0  # seconds spent before this process entered
        self._entered = self._saved = self._shown = time.monotonic()
        self._cost = 0.0  # seconds that the last save took
        self._last: tuple[Any, ...] = ()  # what was saved last

    @classmethod
    def create(
        cls, directory: str | Path, description: Mapping[str, Any], *, new: bool = False, defaults: Any = None
    ) -> "Run":
        """Make a run, or go on with the one that is there if it has the same settings (its end may move out).

        Args:
            directory: of the run.
            description: method, environment, seed, size, config, and `steps` or `budget` (seconds).
            new: set a run that is there aside (renamed to `*-old`) and start afresh.
            defaults: what settings mean that the run that is there does not know.
        """
        directory = Path(directory).absolute()
        if new and (directory / manifest.FILE).exists():
            set_aside(directory)
        asked = manifest.completed(description)
        if not (directory / manifest.FILE).exists():
            refuse_foreign(directory)
        elif asked["steps"] is None and asked["budget"] is None:
            asked |= {name: manifest.read(directory)[name] for name in ("steps", "budget")}
        if not (directory / manifest.FILE).exists() or not is_begun(directory):
            Budget(asked["steps"], asked["budget"])
            durable.make_folder(directory)
            with contextlib.closing(Lock(directory)):
                if not is_begun(directory):  # or somebody was quicker
                    manifest.write(directory, asked)
        old = manifest.read(directory)
        merged = manifest.continued(old, asked, directory, defaults)
        Budget(merged["steps"], merged["budget"])
        if merged != old:
            with contextlib.closing(Lock(directory)):
                manifest.write(directory, merged)
        return cls(directory, merged)

    @classmethod
    def open(cls, directory: str | Path) -> "Run":
        """A run that is there."""
        return cls(Path(directory), manifest.read(Path(directory)))

    @property
    def seed(self) -> int:
        return self.manifest["seed"]

    @property
    def budget(self) -> Budget:
        return Budget(self.manifest["steps"], self.manifest["budget"])

    @property
    def media(self) -> Path:
        """Where pictures and videos go."""
        return self.directory / "media"

    @property
    def seconds(self) -> float:
        """Time spent on this run, over all restarts."""
        return self._before + (time.monotonic() - self._entered if self._lock else 0.0)

    def __enter__(self) -> "Run":
        if exported.is_one(self.directory):
            raise UserError(f"{self.directory} holds weights and no checkpoint: it cannot go on. Train another run.")
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(contextlib.closing(Lock(self.directory)))
            there = manifest.read(self.directory)  # somebody may have been quicker
            self.manifest = manifest.continued(there, self.manifest | {"steps": None, "budget": None}, self.directory)
            alone = (self._checkpoints, self._replay, self.directory / checkpoints.SNAPSHOTS)
            for folder in (self.directory, *alone, self.media, self.directory / "failures"):
                if folder.exists() and not folder.is_dir():
                    raise UserError(f"{folder} is a file, and a run keeps a folder there. Move it away.", code=74)
                durable.sweep(folder, alone=folder in alone)
            self._log.repair()
            self._signals, self.stop = Signals(), 0
            self._signals.install()
            stack.pop_all()  # all is well: the lock is kept
        self._lock = held
        self._entered = self._saved = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._before = self.seconds
        self.stop = self.stop or self._signals.received
        self._signals.close()
        if self._lock:
            self._lock.close()
        self._lock = None

    def ask_to_stop(self, number: int) -> None:
        """As if this signal had come: whoever trains saves, and stops."""
        self._signals.note(number)

    def finished(self, step: int) -> bool:
        """Whether the budget is used up. The end of a budget of time is noted in steps, so that it stays the end."""
        self.step, self.stop = step, self._signals.received
        self._show(step)
        if not step or self.budget.fraction(step, self.seconds) < 1:  # the first step may have to be compiled for long
            return False
        if self.manifest["steps"] is None and self._lock:
            self._lock.check()
            self.manifest["steps"] = step
            manifest.write(self.directory, self.manifest)
        return True

    def due(self, what: str, step: int | None = None) -> bool:
        """Whether it is time to `checkpoint` (by the clock, or to stop), to `log`, to `evaluate`, ... (by steps)."""
        if what not in self._every:
            raise ValueError(f"Run.due: {what!r} is not one of {sorted(self._every)}")
        every = self._every[what]
        if what == "checkpoint":
            self.stop = self._signals.received
            return bool(self.stop) or time.monotonic() - self._saved >= max(every, self._cost / SHARE)
        now = self.step if step is None else step
        count = snapshots.passed if what == "snapshot" else floordiv
        if not every or count(now, every) <= count(self._due.get(what, 0), every):
            return False
        self._due[what] = now
        return True

    def log(self, step: int, **scalars: Any) -> None:
        """Add a line to `metrics.jsonl`."""
        self._must_be_entered("log")
        self._log.append({"step": int(step), "seconds": round(self.seconds, 3), **scalars})
        self._show(step, scalars)

    def evaluated(self, step: int, **scalars: Any) -> None:
        """Note what was measured of a trained agent. Anybody may, and a run that goes back does not forget it."""
        log.Log(self.directory / log.EVALUATIONS).append({"step": int(step), **scalars})

    def metrics(self) -> list[dict[str, Any]]:
        """All that was logged, then all evaluations that were noted, by their steps."""
        return log.read(self.directory / log.FILE) + log.evaluations(self.directory)

    def note(self, message: str) -> None:
        """Tell the user something that is no measurement."""
        _logger.warning("%s: %s", self.directory.name, message)

    def save(
        self,
        step: int,
        state: PyTree,
        counters: Mapping[str, Any],
        replay: Replay | None = None,
        collector: Collector | None = None,
    ) -> Path:
        """Write a checkpoint from which `restore` goes on exactly; returns its folder. The newest two are kept.

        Refuses numbers that are not finite: the last good checkpoint stays.
        """
        self._must_be_entered("save")
        began = time.monotonic()
        counters = {name: value.item() if isinstance(value, np.generic) else value for name, value in counters.items()}
        if self._last[1:] == (step, counters, self._log.offset):
            return self._last[0]  # nothing has happened since
        parts = {"state": tree.to_arrays(state)}
        if name := tree.first_non_finite(parts["state"]):
            raise UserError(
                f"At step {step} {name!r} is no longer finite, so nothing was saved; the last good checkpoint in "
                f"{self._checkpoints} stays. Train again with a smaller learning rate, or report this.",
                code=70,
            )
        about: dict[str, Any] = {"counters": counters, "seconds": self.seconds, "due": dict(self._due)}
        if replay is not None:
            replay.seal(self._replay)
            parts["replay"] = replay.state()
            about["inserted"] = replay.inserted
        if collector is not None:
            parts["collector"] = collector.state()
        self._log.sync()
        about["log"] = self._log.offset
        folder = checkpoints.save(self._checkpoints, step, parts, about)
        checkpoints.prune(self._checkpoints)
        if replay is not None:
            self._discard(replay)
        self._saved = time.monotonic()
        self._cost = self._saved - began
        self._last = (folder, step, counters, self._log.offset)
        return folder

    def snapshot(self, step: int, weights: PyTree) -> None:
        """Keep these weights for comparing, as they are at this step."""
        self._must_be_entered("snapshot")
        snapshots.write(self.directory, step, weights)

    def restore(
        self, like: PyTree, replay: Replay | None = None, collector: Collector | None = None
    ) -> tuple[PyTree, dict[str, Any], Path] | None:
        """Go back to the newest valid checkpoint: the state, the counters and the folder; None before the first one.

        Fills the replay and the collector, cuts the log back to where it was, and notes the restart.
        """
        self._must_be_entered("restore")
        checkpoint = self._newest()
        if checkpoint is None:
            self._begin_again()
            return None
        about, messages = checkpoint.about, []
        state = tree.from_arrays(like, checkpoint.parts["state"], source=str(checkpoint.folder))
        try:
            if replay is not None:
                messages += replay.restore(self._replay, checkpoint.parts.get("replay", {}))
            if collector is not None:
                messages += collector.restore(checkpoint.parts.get("collector", {}))
        except ValueError as error:
            raise UserError(
                f"{checkpoint.folder} is whole, but none of such a run: {error}. "
                "Use the version of Reverie that wrote it, or start again with --new.",
                code=64,
            ) from error
        self._log.cut(about["log"])
        self._before, self._entered, self._due = about["seconds"], time.monotonic(), dict(about["due"])
        self.step = about["step"]
        for message in messages:
            self.note(message)
        self._note_restart(checkpoint.folder, messages)
        return state, about["counters"], checkpoint.folder

    def weights(self, like: PyTree, under: str = "parameters") -> PyTree:
        """What lies under one name of the saved state (`state.parameters`, `state["parameters"]`), and nothing else."""
        if self.at is not None:
            self.loaded, self.step = snapshots.read(self.directory, self.at, like)
            return self.loaded
        if exported.is_one(self.directory):
            self.step, self.loaded = self.manifest["steps"] or 0, exported.read(self.directory, like)
            return self.loaded
        checkpoint = self._newest(only=checkpoints.STATE)
        if checkpoint is None:
            raise UserError(f"{self.directory} has no checkpoint yet. Train it: `reverie resume {self.directory}`.")
        arrays, self.step = checkpoint.parts[checkpoints.STATE], checkpoint.about["step"]
        chosen = {name.removeprefix(f"{under}."): it for name, it in arrays.items() if name.startswith(f"{under}.")}
        self.loaded = tree.from_arrays(like, chosen, source=str(checkpoint.folder))
        return self.loaded

    @property
    def _checkpoints(self) -> Path:
        return self.directory / checkpoints.FOLDER

    @property
    def _replay(self) -> Path:
        return self.directory / chunks.FOLDER

    def _must_be_entered(self, what: str) -> None:
        if self._lock is None:
            raise ValueError(f"Run.{what}: only the one who holds the run may; write `with run:` around it")
        self._lock.check()

    def _begin_again(self) -> None:
        """From step 0. Rows on the disk were saved for a checkpoint that somebody has taken away: they are kept."""
        if self._replay.exists() and any(self._replay.iterdir()):
            self.note(
                "there is no checkpoint, so it begins again at step 0; the old replay and metrics are kept as *.bad"
            )
            for path in (self._replay, self._log.path):
                if path.exists():
                    durable.remove(path.with_name(f"{path.name}.bad"))
                    durable.replace(path, path.with_name(f"{path.name}.bad"))
        durable.remove(self.directory / checkpoints.SNAPSHOTS)  # of an earlier life, perhaps with other settings
        self._log.cut(0)

    def _newest(self, only: str | None = None) -> checkpoints.Checkpoint | None:
        """The newest checkpoint that verifies; those that do not are set aside by whoever holds the lock."""
        bad: list[Path] = []
        found = None
        for folder in checkpoints.listed(self._checkpoints):
            try:
                found = checkpoints.load(folder, only)
                checkpoints.check(found.about)
                name = tree.first_non_finite(found.parts[checkpoints.STATE])
                if name is not None:
                    raise ValueError(f"{name!r} is not finite")
                break
            except (OSError, ValueError) as error:
                self.note(f"checkpoint {folder.name} cannot be used: {error}")
                bad.append(folder)
                found = None
        if found is None and bad:
            raise UserError(
                f"None of the {len(bad)} checkpoints in {self._checkpoints} can be read (see above). "
                "Restore one from a copy, or start again with --new.",
                code=64,
            )
        for folder in bad if self._lock else ():
            checkpoints.set_aside(folder)
        return found

    def _discard(self, replay: Replay) -> None:
        """Delete the chunks that no checkpoint needs; if the older one cannot tell what it needs, nothing."""
        try:
            oldest = checkpoints.read_manifest(checkpoints.listed(self._checkpoints)[-1])
        except (OSError, ValueError):
            return
        replay.discard(self._replay, oldest.get("inserted", 0))

    def _note_restart(self, folder: Path, messages: list[str]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"time": now, "checkpoint": folder.name, "step": self.step, "messages": "; ".join(messages)}
        durable.append_line(self.directory / "restarts.jsonl", json.dumps(entry), sync=True)

    def _show(self, step: int, scalars: Mapping[str, Any] | None = None) -> None:
        """Tell the progress display, of nothing new at most five times per second."""
        if self.progress and (scalars or time.monotonic() - self._shown > 0.2):
            self._shown = time.monotonic()
            self.progress(step, scalars or {})
