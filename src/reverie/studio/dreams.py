"""Dreams beside each other, as a film: of one run as it learned, or of several runs at equal steps.

All of them watch the same stored episode, then dream on with its actions; each says its step and the mean error of what
it dreamt (`evaluate.open_loop`). Several runs are called A, B, C, ... in the order in which they are asked for. A film
is made by a process that ends with it (`main`): one at a time, and the newest are remembered. The server's side is free
of jax.
"""

import asyncio
import multiprocessing
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from reverie.envs.worker import end_with, leave_with
from reverie.errors import UserError
from reverie.run import checkpoints, manifest

MOST = 6
"""Dreams in a film."""
ROWS, WATCHED = 64, 16
"""Of the episode: all that are shown, and those that are watched first."""
REMEMBERED = 16
"""Films."""
PATIENCE = 300.0
"""Seconds for one to be made, by then somebody waits no more."""

Shown = tuple[tuple[Path, int], ...]
"""Runs, and the steps as of which they dream."""


class Films:
    """Makes them, one at a time.

    Args:
        environment: of runs in classes of the user's own: that class's name.
    """

    def __init__(self, environment: str | None = None) -> None:
        self._environment = environment
        self._made: OrderedDict[Any, bytes] = OrderedDict()
        self._turn = asyncio.Lock()
        self._process: Any = None

    async def film(self, of: Path, episode: int, shown: Shown) -> bytes:
        """An animated WebP; `UserError` says why there is none.

        Args:
            of: the run whose stored episode is watched.
            episode: its number there.
            shown: whose dreams.
        """
        key = of, episode, tuple((run, step, newest(run)) for run, step in shown)
        try:
            async with self._turn:
                if key not in self._made:
                    self._made[key] = await asyncio.to_thread(self._make, of, episode, shown)
                    while len(self._made) > REMEMBERED:
                        self._made.popitem(last=False)
                self._made.move_to_end(key)
                return self._made[key]
        except asyncio.CancelledError as error:  # the server ends, and waits for its threads
            if self._process is not None:
                self._process.kill()
            raise UserError("the studio is ending.") from error

    def _make(self, of: Path, episode: int, shown: Shown) -> bytes:
        context = multiprocessing.get_context("spawn")
        pipe, theirs = context.Pipe(duplex=True)
        arguments = theirs, of, episode, shown, self._environment, os.getpid()
        self._process = process = context.Process(target=main, args=arguments, name="reverie-film", daemon=True)
        process.start()
        theirs.close()
        answer: bytes | str = f"it took more than {PATIENCE:.0f} seconds."
        try:
            answer = pipe.recv() if pipe.poll(PATIENCE) else answer
        except EOFError:
            answer = "the process that made this film has ended; its last words are in the terminal."
        finally:
            process.kill()
            process.join()
            pipe.close()
        if isinstance(answer, str):
            raise UserError(answer)
        return answer


def asked(text: str, path: Callable[[str], Path]) -> Shown:
    """What `ID@STEP,ID@STEP` asks for; `UserError` where it is not that."""
    parts = text.split(",")
    found = [re.fullmatch(r"([0-9a-f]{1,32})@(\d{1,12})", part, re.ASCII) for part in parts[: MOST + 1]]
    if len(parts) > MOST or not all(found):
        raise UserError(f"dreams are asked for as ID@STEP, up to {MOST} of them with commas between.")
    return tuple((path(match[1]), int(match[2])) for match in found if match)


def newest(run: Path) -> int | None:
    """The step of the newest checkpoint; None where there is none."""
    listed = checkpoints.listed(run / checkpoints.FOLDER)
    return checkpoints.step_of(listed[0]) if listed else None


def main(connection: Connection, of: Path, episode: int, shown: Shown, environment: str | None, parent: int) -> None:
    """The process: makes one film, and ends."""
    leave_with(parent, False)
    threading.Thread(target=end_with, args=(connection.fileno(), parent), daemon=True).start()
    from reverie.run import compilation

    compilation.cache()
    try:
        connection.send(made(of, episode, shown, environment))
    except UserError as error:
        connection.send(str(error))


def made(of: Path, episode: int, shown: Shown, environment: str | None = None) -> bytes:
    """The film."""
    import numpy as np

    from reverie import api
    from reverie.evaluate import video
    from reverie.evaluate.media import DREAM_FPS
    from reverie.evaluate.open_loop import open_loop
    from reverie.evaluate.open_loop_film import beside
    from reverie.run.stored import Stored

    sequence, world, results = Stored(of, check=False).sequence(episode), manifest.read(of)["environment"], []
    if len(sequence.reward) < 3:
        raise UserError(f"episode {episode} has {len(sequence.reward)} steps: too few to dream on. Choose another.")
    rows = min(ROWS, len(sequence.reward))
    several = len({run for run, _ in shown}) > 1
    for letter, (run, step) in zip("ABCDEF", shown, strict=False):
        here = manifest.read(run)["environment"]
        if here != world:
            raise UserError(f"{run.name} lives in {here}, and the episode is of {world}: choose runs of one world.")
        agent = api.load(run, at=None if step == newest(run) else step, environment=environment)
        sees = {name: (values.shape[1:], str(values.dtype)) for name, values in sequence.observation.items()}
        if sees != {name: (it.shape, it.dtype) for name, it in agent.trained.spaces.observation.items()}:
            raise UserError(f"{run.name} is shown its world otherwise than {of.name}, whose episode this is.")
        account = open_loop(agent.trained, sequence, rows=rows, context=min(WATCHED, rows // 2))
        error = np.mean([values[account.context :].mean() for values in account.error.values()])
        name = f"{letter}, {agent.step:,}" if several else f"{agent.step:,} steps"
        results.append((f"{name}: {error:.2g}", account))
    caption = f"{world}, episode {episode}: as of which step, and the mean error of the dream"
    frames = beside(results, agent.trained.spaces, agent.conversions.draw, caption=caption)
    return video.webp(*video.thin(frames, DREAM_FPS))
