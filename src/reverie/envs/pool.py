"""Many environments in lockstep: an action each, a row each.

    step(None)      every environment's first row                    o_0, is_first
    step(actions)   the row each action leads to; where the last row ended its episode, the action is ignored and the
                    first row of the next episode comes (reward 0, is_first): no row is lost and none is invented

Episode k of environment i is reset with a seed made of (seed, i, k) alone: workers change the speed and nothing else.

An environment that raises, dies or hangs is built anew and its next episode begins: a row with is_first follows one
that is not last, which replay takes for a cut. The others wait for that row until one deadline after their turn began;
then they go on without the lines of that worker, whose rows are masked (`present`) until the new start has one. Only a
worker can die or hang without the trainer. More than `TOLERANCE` failures within `WINDOW` seconds in one host, or
`FRUITLESS` without a row between them, end the run with the environment's own traceback. What happens to values that
are not finite, `EnvironmentConfig.not_finite` says.
"""

import atexit
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.host import Host
from reverie.envs.make import Factory, name_of
from reverie.envs.rows import Command, Rows
from reverie.envs.worker import TICK, Worker
from reverie.errors import UserError
from reverie.types import ArraySpec, Spaces, Step

TOLERANCE = 5
WINDOW = 600.0
FRUITLESS = 3

_STATE = ("seed", "troubles", "episode", "length", "actions", "present")
"""What `Pool.state` gives besides the last rows."""


class Pool:
    """`count` environments, in this process or in workers.

    Args:
        environment: an id, or a function that makes one (importable by name if there are workers).
        config: how they are shown and stepped.
        count: how many.
        workers: how many processes host them between them; 0 for none.
        seed: what every episode's seed is made of.
        step_deadline, reset_deadline: seconds after which a worker's environment counts as hung.
    """

    def __init__(
        self,
        environment: str | Factory,
        config: EnvironmentConfig | None = None,
        *,
        count: int,
        workers: int = 0,
        seed: int = 0,
        step_deadline: float = 60.0,
        reset_deadline: float = 180.0,
    ) -> None:
        if count < 1 or workers < 0:
            raise ValueError(f"Pool: count must be 1 or more and workers 0 or more, got {count} and {workers}")
        self.id, self.count, self.seed = name_of(environment), count, seed
        self.failures = 0
        """How often an environment, or a worker with all of its own, had to be built anew."""
        self.mended = 0
        """Rows that an environment gave with values that were not finite, and that were truncated or sanitised."""
        self.last: Step | None = None
        """The rows given by the last `step`."""
        self.present = np.zeros(count, bool)
        """Which of them are rows; the others (is_first and truncated, of no content) stand for lines without one."""
        self._episode = np.full(count, -1, np.int64)
        config = config or EnvironmentConfig()
        if workers:
            deadlines = {"step_deadline": step_deadline, "reset_deadline": reset_deadline}
            self._crews: list[Host] | list[Worker] = _hired(environment, config, count, workers, deadlines)
        else:
            self._crews = [Host(environment, config, range(count))]
        atexit.register(self.close)
        with self._closed_if_broken():
            self.spaces, self.repeat = [crew.facts() for crew in self._crews].pop()
            self._rows = Rows(self.spaces, count)
            self._actions = [Actions(self.spaces.action) for _ in range(count)]
            for crew in self._crews:
                crew.join(self._rows)
        self._late: list[Host | Worker] = []  # crews that nobody waits for any more
        self._troubles = {crew.lines: deque[float](maxlen=TOLERANCE + 1) for crew in self._crews}
        self._fruitless = dict.fromkeys(self._troubles, 0)

    def step(self, actions: np.ndarray | None) -> Step:
        """The next rows, batched over environments; see above. `actions` are in the model's form."""
        ended = np.ones(self.count, bool) if self.last is None else self.last.terminated | self.last.truncated
        if self.last is not None and actions is None:
            raise ValueError("Pool.step: None is for the first call; afterwards every environment needs an action")
        here = ~self._of(self._late)
        self._rows.command[here] = np.where(ended, Command.RESET, Command.STEP)[here]
        if actions is not None:
            self._rows.action[here] = self._checked(actions)[here]
        for line in np.flatnonzero(here).tolist():
            if ended[line]:
                self._begin(line)
            else:
                self._actions[line].append(self._rows.action[line])
        self._rows.mended[here] = False
        with self._closed_if_broken():
            self._run(self._begin_anew)
        self.mended += int(self._rows.mended[self.present].sum())
        self.last = self._masked(self._rows.read())
        return self.last

    def state(self) -> dict[str, np.ndarray]:
        """Where the running episodes are: their number, their actions so far, and the last rows."""
        state = {
            "seed": np.array([self.seed], np.int64),
            "troubles": np.array([self.failures, self.mended], np.int64),
            "episode": self._episode.copy(),
            "length": np.array([len(actions) for actions in self._actions], np.int64),
            "actions": np.concatenate([actions.all for actions in self._actions]),
            "present": self.present.copy(),
        }
        return state if self.last is None else state | flatten(self.last)

    def restore(self, state: dict[str, np.ndarray]) -> list[str]:
        """Plays the running episodes of `state` again, up to the last rows, which become `last`.

        Gives a sentence for each episode that did not come back as it was: it is cut (truncated) there.
        """
        self._check(state)
        self._episode[:] = state["episode"]
        self.failures, self.mended = state["troubles"].tolist()
        self.last = unflatten(state, self.spaces) if "reward" in state else None
        played = np.split(state["actions"], np.cumsum(state["length"])[:-1])
        self._actions = [Actions(self.spaces.action, actions) for actions in played]
        if self.last is None:
            return []
        ended = np.asarray(self.last.terminated | self.last.truncated)
        running = np.flatnonzero(~ended).tolist()
        with self._closed_if_broken():
            lost = self._replay(running)
        rows, self.present = self._rows.read(), state["present"].copy()
        for line in running:
            if line in lost or not _equal(rows, self.last, line):
                lost.add(line)
                self.last.truncated[line] = True
        return [
            f"{self.id}, environment {line}: replaying its episode led elsewhere; it is cut." for line in sorted(lost)
        ]

    def _check(self, state: dict[str, np.ndarray]) -> None:
        """ValueError unless this is what `state` gives of such a pool."""
        begun = (state.get("episode", np.empty(0)) >= 0).any()
        here = self.state() | (flatten(self._rows.read()) if begun else {})
        expected = {name: (array.shape, array.dtype) for name, array in here.items() if begun or name in _STATE}
        played = int(state["length"].sum()) if "length" in state else 0
        expected["actions"] = ((played, *self.spaces.action.shape), np.dtype(self.spaces.action.dtype))
        found = {name: (array.shape, array.dtype) for name, array in state.items()}
        if found != expected:
            raise ValueError(f"Pool.restore: the state is of {found}, this pool's is of {expected}")
        if int(state["seed"][0]) != self.seed:
            raise ValueError(f"Pool.restore: the state is of seed {int(state['seed'][0])}, this pool's is {self.seed}")
        if (state["length"] < 0).any() or (state["episode"] < -1).any():
            raise ValueError("Pool.restore: the state has episodes of less than nothing")

    def close(self) -> None:
        """Ends the environments and their workers. Called at exit too."""
        atexit.unregister(self.close)
        for crew in self._crews:
            crew.leave()
        for crew in self._crews:
            crew.close()
        self._crews = []

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, line: int) -> None:
        self._episode[line] += 1
        self._actions[line] = Actions(self.spaces.action)
        self._rows.command[line] = Command.RESET
        self._rows.seed[line] = episode_seed(self.seed, line, int(self._episode[line]))

    def _begin_anew(self, lines: Sequence[int], failures: dict[int, str]) -> None:
        """After failures in the host of some lines: the next episode of each, unless it was once too often."""
        self._trip(lines, failures)
        self._rows.command[list(lines)] = Command.IDLE
        for line in failures:
            self._begin(line)

    def _run(self, failed: Callable[[Sequence[int], dict[int, str]], None]) -> None:
        """Lets every crew obey. `failed` is told its lines and what went wrong, and says by commands what now.

        Ends when all are done, or when those that are not have failed, and the others have waited long enough.
        """
        if not self._crews:
            raise ValueError("Pool: it is closed")
        began, failing = time.monotonic(), set(self._late)
        busy = self._late + [crew for crew in self._crews if crew not in failing and self._sent(crew)]
        late, self._late, self.present = failing.copy(), [], np.zeros(self.count, bool)
        while busy:
            late |= {crew for crew in failing if time.monotonic() - began > crew.patience}
            awaited = [crew for crew in busy if crew not in late]
            if not awaited and self.present.any():
                self._late = busy
                return
            for crew in [crew for crew in busy if crew.ready(self._turn(crew, awaited or busy))]:
                failures = crew.done()
                self._fruitless[crew.lines] += 1 if failures else -self._fruitless[crew.lines]
                obeyed = [line for line in crew.lines if self._rows.command[line] != Command.IDLE]
                self.present[obeyed] = [line not in failures for line in obeyed]
                if failures:
                    failing.add(crew)
                    self.present[list(failures)] = False
                    failed(crew.lines, failures)
                if not failures or not self._sent(crew):
                    busy.remove(crew)

    def _turn(self, crew: Host | Worker, awaited: list[Host | Worker]) -> float:
        """Seconds to listen to one of the crews that are still at it."""
        return TICK / len(awaited) if crew in awaited else 0.0

    def _masked(self, row: Step) -> Step:
        """Lines without a row say so, and what else runs beside a line that is late ends its episode here."""
        row.truncated[:] |= (self._of(self._late) & ~row.terminated) | ~self.present
        row.terminated[~self.present] = False
        row.is_first[~self.present] = True
        row.reward[~self.present] = 0
        return row

    def _of(self, crews: list[Host | Worker]) -> np.ndarray:
        """Which lines are these crews'."""
        return np.isin(np.arange(self.count), [line for crew in crews for line in crew.lines])

    def _sent(self, crew: Host | Worker) -> bool:
        """Whether there was anything to do for a crew."""
        if not self._rows.command[list(crew.lines)].any():
            return False
        crew.go()
        return True

    def _replay(self, running: list[int]) -> set[int]:
        """Resets and replays the running lines in lockstep; gives those that failed on the way."""
        lost: set[int] = set()

        def failed(lines: Sequence[int], failures: dict[int, str]) -> None:
            self._rows.command[list(lines)] = Command.IDLE
            lost.update(failures)

        for step in range(1 + max((len(self._actions[line]) for line in running), default=-1)):
            self._rows.command[:] = Command.IDLE
            for line in running:
                if line in lost or step > len(self._actions[line]):
                    continue
                if step == 0:
                    self._rows.command[line] = Command.RESET
                    self._rows.seed[line] = episode_seed(self.seed, line, int(self._episode[line]))
                else:
                    self._rows.command[line] = Command.STEP
                    self._rows.action[line] = self._actions[line].all[step - 1]
            self._run(failed)
        return lost

    def _checked(self, actions: np.ndarray) -> np.ndarray:
        spec = self.spaces.action
        array = np.asarray(actions)
        if array.shape != (self.count, *spec.shape):
            raise ValueError(f"Pool.step: actions must have shape {(self.count, *spec.shape)}, got {array.shape}")
        return array.astype(spec.dtype)

    def _trip(self, lines: Sequence[int], failures: dict[int, str]) -> None:
        """The circuit breaker."""
        self.failures += 1
        times = self._troubles[tuple(lines)]
        times.append(time.monotonic())
        often = len(times) > TOLERANCE and times[-1] - times[0] < WINDOW
        if often or self._fruitless[tuple(lines)] >= FRUITLESS:
            raise UserError(
                f"{self.id} failed {len(times)} times within {times[-1] - times[0]:.0f} s; the last time:\n"
                f"{list(failures.values())[-1]}",
                code=70,
            )

    @contextlib.contextmanager
    def _closed_if_broken(self) -> Iterator[None]:
        """Whatever interrupts a round leaves answers under way: such a pool is of no more use."""
        try:
            yield
        except BaseException:
            self.close()
            raise


class Actions:
    """The actions of a running episode, side by side in one array: an episode may last as long as the run."""

    def __init__(self, spec: ArraySpec, first: np.ndarray | None = None) -> None:
        begun = np.empty((0, *spec.shape), spec.dtype) if first is None else first
        self._array, self._count = begun.copy(), len(begun)

    def __len__(self) -> int:
        return self._count

    @property
    def all(self) -> np.ndarray:
        """[step, ...]."""
        return self._array[: self._count]

    def append(self, action: np.ndarray) -> None:
        if self._count == len(self._array):
            larger = np.empty((max(16, 2 * self._count), *self._array.shape[1:]), self._array.dtype)
            larger[: self._count] = self._array
            self._array = larger
        self._array[self._count] = action
        self._count += 1


def episode_seed(seed: int, line: int, episode: int) -> int:
    """The seed of episode `episode` of environment `line`; never negative."""
    return int(np.random.SeedSequence([seed, line, episode]).generate_state(1)[0] >> 1)


def flatten(row: Step) -> dict[str, np.ndarray]:
    """A row as one flat dict, ready for a file."""
    rest = {name: getattr(row, name) for name in Step._fields[1:]}
    return {f"observation/{name}": array for name, array in row.observation.items()} | rest


def unflatten(arrays: dict[str, np.ndarray], spaces: Spaces) -> Step:
    """The inverse of `flatten`; the arrays are copied."""
    observation = {name: arrays[f"observation/{name}"].copy() for name in spaces.observation}
    return Step(observation, *(arrays[name].copy() for name in Step._fields[1:]))


def _equal(rows: Step, others: Step, line: int) -> bool:
    pairs = zip(flatten(rows).values(), flatten(others).values(), strict=True)
    return all(np.array_equal(array[line], other[line]) for array, other in pairs)


def _hired(
    environment: str | Factory, config: EnvironmentConfig, count: int, workers: int, deadlines: dict[str, float]
) -> list[Worker]:
    if not isinstance(environment, str) and "<" in name_of(environment):
        raise UserError(
            f"{name_of(environment)} cannot be found by name from another process. Needed with workers: a class or "
            "function at the top level of a module, or its name as a string 'module:Class'. Or use workers=0."
        )
    shares = np.array_split(np.arange(count), min(workers, count))
    with contextlib.ExitStack() as stack:
        hired: list[Worker] = []
        for share in shares:
            hired.append(Worker(environment, config, [int(line) for line in share], **deadlines))
            stack.callback(hired[-1].close)
        stack.pop_all()  # all of them are there, and stay
    return hired
