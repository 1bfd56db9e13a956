"""A thread that draws batches before they are needed.

The trainer says which rows the next batch may come from (`ask`) as soon as they are inserted, and takes the batch
later. How far ahead that is, is the trainer's decision, made of counters; the thread only changes when the work is
done, never what comes out. For an exact resume the trainer saves `pending` and asks again.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from reverie.data.replay import Batch, Replay


class Prefetch:
    """Draws batches `start`, `start + 1`, ... in order; a context manager.

    Args:
        replay: drawn from.
        batch: windows per batch.
        start: number of the first batch.
    """

    def __init__(self, replay: Replay, batch: int, *, start: int = 0) -> None:
        self._replay, self._batch = replay, batch
        self._next = start  # the batch that `take` gives next
        self._asked: deque[tuple[int, Future[Batch]]] = deque()
        self._thread = ThreadPoolExecutor(1, "prefetch")

    @property
    def pending(self) -> list[int]:
        """`upto` of the batches asked for and not taken."""
        return [upto for upto, _ in self._asked]

    def ask(self, upto: int) -> None:
        """Draw the next batch from the rows inserted before `upto`, when there is time."""
        n = self._next + len(self._asked)
        self._asked.append((upto, self._thread.submit(self._replay.draw, n, self._batch, upto, ahead=True)))

    def take(self) -> Batch:
        """The oldest batch asked for; waits for it."""
        if not self._asked:
            raise ValueError("Prefetch.take: nothing was asked for; call `ask` first")
        batch = self._asked.popleft()[1].result()
        self._replay.use(self._next)
        self._next += 1
        return batch

    def close(self) -> None:
        """End the thread; what was asked for and not begun is dropped."""
        self._thread.shutdown(cancel_futures=True)

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
