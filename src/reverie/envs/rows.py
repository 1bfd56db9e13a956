"""The table through which environments are told what to do and answer: a line each, in one block of memory.

The block has no name: other processes are handed it by its handle, no observation passes through a pipe, and nothing
is left behind whoever dies first.
"""

import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from enum import IntEnum
from multiprocessing import reduction
from typing import Any

import numpy as np

from reverie.types import Spaces, Step


class Command(IntEnum):
    """What a line asks of its environment."""

    IDLE = 0
    RESET = 1
    STEP = 2


class Memory:
    """A block of memory that other processes can map too, given its handle. It goes when the last of them does.

    As an argument of a spawned process it arrives there as the same block.
    """

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.view = memoryview(mmap.mmap(handle, os.fstat(handle).st_size))

    @classmethod
    def new(cls, size: int) -> "Memory":
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("reverie")
        else:
            with tempfile.TemporaryFile() as nameless:
                handle = os.dup(nameless.fileno())
        os.ftruncate(handle, size)
        return cls(handle)

    def close(self) -> None:
        """Gives up the handle; what is mapped stays mapped."""
        os.close(self.handle)

    def __reduce__(self) -> tuple[Callable[[Any], "Memory"], tuple[Any]]:
        return _arrived, (reduction.DupFd(self.handle),)


class Rows:
    """`count` lines of commands and answers.

    Args:
        spaces: what an environment shows and takes.
        count: how many environments.
        memory: the block to lie in; None makes one.
    """

    def __init__(self, spaces: Spaces, count: int, memory: Memory | None = None) -> None:
        self.spaces, self.count = spaces, count
        self.memory = memory or Memory.new(Rows.size(spaces, count))
        arrays, offset = {}, 0
        for name, shape, dtype in _layout(spaces, count):
            array = np.frombuffer(self.memory.view, dtype, count=int(np.prod(shape)), offset=offset).reshape(shape)
            arrays[name] = array
            offset = _aligned(offset + array.nbytes)
        self.command, self.seed, self.action = arrays["command"], arrays["seed"], arrays["action"]
        self.began, self.mended = arrays["began"], arrays["mended"]
        """When an environment was last called (`time.monotonic`), and whether its answer had to be made finite."""
        self._answer = Step(
            observation={name: arrays[f"observation/{name}"] for name in spaces.observation},
            reward=arrays["reward"],
            terminated=arrays["terminated"],
            truncated=arrays["truncated"],
            is_first=arrays["is_first"],
        )

    @staticmethod
    def size(spaces: Spaces, count: int) -> int:
        """Bytes that the table takes."""
        return sum(
            _aligned(int(np.prod(shape)) * np.dtype(dtype).itemsize) for _, shape, dtype in _layout(spaces, count)
        )

    def write(self, line: int, row: Step) -> None:
        """An environment's answer."""
        for name, array in row.observation.items():
            self._answer.observation[name][line] = array
        for name in ("reward", "terminated", "truncated", "is_first"):
            getattr(self._answer, name)[line] = getattr(row, name)

    def read(self) -> Step:
        """All answers, as arrays of their own."""
        observation = {name: array.copy() for name, array in self._answer.observation.items()}
        return Step(observation, *(array.copy() for array in self._answer[1:]))


def _arrived(handle: Any) -> Memory:
    return Memory(handle.detach())


def _layout(spaces: Spaces, count: int) -> Iterator[tuple[str, tuple[int, ...], str]]:
    yield "command", (count,), "uint8"
    yield "seed", (count,), "int64"
    yield "began", (count,), "float64"
    yield "mended", (count,), "bool"
    yield "action", (count, *spaces.action.shape), spaces.action.dtype
    for name, spec in spaces.observation.items():
        yield f"observation/{name}", (count, *spec.shape), spec.dtype
    yield "reward", (count,), "float32"
    for name in ("terminated", "truncated", "is_first"):
        yield name, (count,), "bool"


def _aligned(size: int) -> int:
    return -(-size // 64) * 64
