"""What is kept of a play: a still, a film, the actions as a log that replays to the last bit, the rows as experience.

A log is JSON: how the play began, the state it began in, and every step: its action, its dice and its temperature; of
steps that were not dreamt (looked at reality, changed by hand) the state itself. Every state's digest comes along, so
that `follow` says whether, and where, a replay differs: on the same machine with the same versions it does not.

Experience is a folder that reads like a run's: of reality where it was played, else of the dream, and it says which.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import reverie
from reverie.data import durable, objects
from reverie.data.chunks import FOLDER, ROWS, Chunks
from reverie.data.replay import FLAGS, OBSERVATION
from reverie.errors import UserError
from reverie.evaluate import video
from reverie.evaluate.film import DREAM, REALITY, Panel, compose, fit
from reverie.run import exported, manifest, runs
from reverie.studio.gate import user_folder
from reverie.studio.pictures import png
from reverie.studio.scenery import as_pixels
from reverie.studio.session import Session
from reverie.studio.shelf import id_of
from reverie.studio.timeline import Moment
from reverie.studio.wire import HOWS

FORMAT = 1
FRAMES = 900
"""Of a film, at most: the last ones before the moment."""
WIDTH = 256
DIGEST = 8


def still(session: Session) -> bytes:
    """A PNG of the moment."""
    return png(_films(session, [session.timeline[session.at]])[0])


def film(session: Session, kind: str) -> bytes:
    """What led to the moment, as `webp` or `mp4`."""
    frames = _films(session, session.timeline.path(session.at)[-FRAMES:])
    frames, fps = video.thin(frames, session.scenery.fps)
    return video.webp(frames, fps) if kind == "webp" else video.mp4(frames, fps)


def log(session: Session) -> dict[str, Any]:
    """The actions that led to the moment."""
    first, *steps = session.timeline.path(session.at)
    return {
        "format": FORMAT,
        "run": session.scenery.run.name,
        "world": session.scenery.world.id,
        "step": session.scenery.agent.step,
        "versions": {"reverie": reverie.__version__, "jax": jax.__version__},
        "origin": session.origin,
        "view": session.view,
        "state": _written(first.state),
        "steps": [
            {
                "how": step.how,
                "action": None if step.action is None else step.action.tolist(),
                "dice": step.dice,
                "temperature": step.temperature,
                **({} if step.how == "dream" else {"state": _written(step.state)}),
            }
            for step in steps
        ],
        "digests": [digest(step.state) for step in (first, *steps)],
    }


class Followed(NamedTuple):
    """What came of replaying a log."""

    differs: int | None
    """The first step that came out otherwise; None: none."""
    played: str
    """Where it was played, if elsewhere: another run, or this one at another step."""


def follow(session: Session, content: bytes) -> Followed:
    """Replays a log in place of the play that was, beside reality where that is in view."""
    try:
        found = objects.parse(content)
        if found.get("format") != FORMAT:
            raise ValueError(f"its format is {found.get('format')!r}, not {FORMAT}")
        if found.get("world", world := session.scenery.world.id) != world:
            raise ValueError(f"its world is {str(found['world'])[:80]}, and this run's {world}")
        like, spec = session.scenery.mind.blank, session.scenery.spec
        origin = {name: found["origin"][name] for name in ("origin", "number", "row")}
        digests, steps = found["digests"], found["steps"]
        if type(origin["number"]) is not int or not isinstance(steps, list) or len(digests) != len(steps) + 1:
            raise ValueError("it is not whole")
        start = _read(like, found["state"])
        kept = [_step(step, like, spec) for step in steps]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"this is no log of a play of this run: {error}.", code=64) from error
    session.playing = False
    session.follow(origin, start)
    wrong = None if digest(session.timeline[0].state) == digests[0] else 0
    for place, step in enumerate(kept, start=1):
        moment = session.add(*step)
        if wrong is None and digest(moment.state) != digests[place]:
            wrong = place
    session.handle({"type": "view", "what": session.view})  # reality goes the same way
    here = {"run": session.scenery.run.name, "step": session.scenery.agent.step}
    there = {name: found.get(name) for name in here}
    return Followed(wrong, "" if there == here else f"it was played in {there['run']} as of step {there['step']}")


def experience(session: Session, folder: Path) -> dict[str, Any]:
    """Writes the rows that led to the moment into a new folder beside the runs; what it says of it."""
    path = [step for step in session.timeline.path(session.at) if step.how != "edit"]
    beside = session.reality
    known = [(step, it) for step in path if beside is not None and (it := beside.real(step)) is not None]
    real = bool(known) and (len(known) == len(path) or known[-1][1].over)
    path = [step for step, _ in known] if real else path  # beyond its end there is no reality to keep
    rows = _real_rows(session, path) if real else _dreamt_rows(session, path)
    target = next(
        it for n in range(1, 10_000) if not (it := folder / f"played-{session.scenery.run.name}-{n}").exists()
    )
    about = manifest.read(session.scenery.run)
    world = about["environment"] if real else "reverie/Dream-v0"
    about = {name: about[name] for name in ("size", "environment_config")} | {
        "method": runs.PLAYED,
        "environment": world,
    }
    about |= {"seed": session.origin["number"], "config": {"experience": {"environments": 1}}, "steps": len(path) - 1}
    durable.make_folder(target)
    chunks = Chunks(target / FOLDER)
    for begin in range(0, len(path), ROWS):
        chunks.append(begin, {name: values[begin : begin + ROWS] for name, values in rows.items()})
    manifest.write(target, manifest.completed(about))
    return {"folder": target.name, "rows": len(path), "world": world}


def folder_of(session: Session) -> Path:
    """Where moments of a run are kept: with it; of weights, which may not be ours to write to, in the user's cache."""
    run = session.scenery.run
    return user_folder() / "moments" / id_of(run) if exported.is_one(run) else run / "media" / "moments"


def share(session: Session) -> str:
    """Keeps the moment under a name that `shared` knows."""
    content = json.dumps(log(session)).encode()
    name = hashlib.blake2b(content, digest_size=DIGEST).hexdigest()
    durable.write(folder_of(session) / f"{name}.json", content)
    return name


def shared(session: Session, asked: bytes) -> Followed:
    """Goes to a moment that was shared."""
    name = asked.decode("ascii", errors="replace")
    path = folder_of(session) / f"{name}.json"
    if len(name) != 2 * DIGEST or not set(name) <= set("0123456789abcdef") or not path.is_file():
        raise UserError("this link leads to a moment that is not on this machine.")
    return follow(session, path.read_bytes())


def digest(state: Any) -> str:
    """Of all numbers in a state."""
    found = hashlib.blake2b(digest_size=DIGEST)
    for leaf in jax.tree.leaves(state):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()


def _step(step: Mapping[str, Any], like: Any, spec: Any) -> tuple[Any, ...]:
    how, dice, heat = step["how"], step["dice"], step["temperature"]
    if how not in HOWS or type(dice) is not int or type(heat) not in (int, float) or not 0 < heat < 100:
        raise ValueError("a step of it makes no sense")
    action = None if step["action"] is None else np.array(step["action"], spec.dtype)
    if (action is None) != (how == "edit") or (action is not None and action.shape != spec.shape):
        raise ValueError("an action of it is none of this world")
    return how, action, dice, float(heat), None if how == "dream" else _read(like, step["state"])


def _written(state: Any) -> list[str]:
    return [base64.b64encode(np.ascontiguousarray(leaf).tobytes()).decode() for leaf in jax.tree.leaves(state)]


def _read(like: Any, written: list[str]) -> Any:
    leaves, structure = jax.tree.flatten(like)
    if len(leaves) != len(written):
        raise ValueError("its states are another model's")
    arrays = [
        np.frombuffer(base64.b64decode(text, validate=True), np.asarray(leaf).dtype).reshape(np.shape(leaf))
        for leaf, text in zip(leaves, written, strict=True)
    ]
    return jax.tree.unflatten(structure, arrays)


def _films(session: Session, path: list[Moment]) -> np.ndarray:
    """Frames of moments, as the view shows them."""
    scenery, columns = session.scenery, []
    if session.view != "reality":
        pictures = [scenery.drawn(scenery.mind.read(step.state)) for step in path]
        columns.append((pictures, "dream", DREAM))
    beside = session.reality
    if session.view != "dream" and beside is not None:
        known = [step for step in session.timeline.path(path[0].number) if step in beside]
        last = beside.picture(known[-1], session.timeline) if known else None
        pictures = list[np.ndarray | None]()
        for step in path:  # beyond its end reality stays as it was
            last = beside.picture(step, session.timeline) if step in beside else last
            pictures.append(last)
        columns.append((pictures, "reality", REALITY))
    if any(picture is None for pictures, _, _ in columns for picture in pictures):
        raise UserError("there is no picture to keep: this world is drawn as numbers.")
    panels = [Panel(fit(np.stack(pictures), WIDTH), ((0, name, colour),)) for pictures, name, colour in columns]
    notes = [f"step {step.depth}" for step in path]
    return compose(panels, caption=scenery.run.name[:18], notes=notes)


def _real_rows(session: Session, path: list[Moment]) -> dict[str, np.ndarray]:
    assert session.reality is not None
    reals = [real for step in path if (real := session.reality.real(step)) is not None]
    seen = {name: np.stack([real.observation[name] for real in reals]) for name in reals[0].observation}
    ended = np.array([real.over for real in reals])
    return _rows(session, path, seen, np.array([real.reward for real in reals]), ended)


def _dreamt_rows(session: Session, path: list[Moment]) -> dict[str, np.ndarray]:
    mind, specs = session.scenery.mind, session.scenery.world.spaces.observation
    shown = [mind.read(step.state) for step in path]
    if not shown[0].decoded:
        raise UserError("this model has no decoder, so its dreams are no experience for others.")
    seen = {
        name: np.stack(
            [as_pixels(it.decoded[name]) if specs[name].kind == "image" else it.decoded[name] for it in shown]
        )
        for name in shown[0].decoded
    }
    seen = {name: values.astype(specs[name].dtype) for name, values in seen.items()}
    numbers = np.stack([it.numbers for it in shown])
    rewards = np.nan_to_num(numbers[:, 0])
    rewards[0] = 0.0
    return _rows(session, path, seen, rewards, numbers[:, 2] < 0.5)


def _rows(
    session: Session, path: list[Moment], seen: Mapping[str, np.ndarray], rewards: np.ndarray, ends: np.ndarray
) -> dict[str, np.ndarray]:
    """Rows as `types` draws them: an action stands in the row that it follows."""
    spec, count = session.scenery.spec, len(path)
    actions = [step.action for step in path[1:] if step.action is not None]
    action = np.stack([*actions, np.zeros(spec.shape, spec.dtype)]).astype(spec.dtype)
    last = np.arange(count) == count - 1
    flags = {"terminated": ends & last, "truncated": last & ~ends, "is_first": np.arange(count) == 0}
    rows = {f"{OBSERVATION}{name}": np.ascontiguousarray(values) for name, values in seen.items()}
    return rows | {"action": action, "reward": rewards.astype(np.float32), **{name: flags[name] for name in FLAGS}}
