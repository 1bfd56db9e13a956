import multiprocessing
import os

import numpy as np

from reverie.envs.rows import Command, Memory, Rows
from reverie.types import ArraySpec, Spaces, Step

SPACES = Spaces(
    observation={"image": ArraySpec("image", (3, 5, 3)), "place": ArraySpec("vector", (2,))},
    action=ArraySpec("discrete", (2,), (3, 4)),
)


def row(number: int) -> Step:
    observation = {"image": np.full((3, 5, 3), number, np.uint8), "place": np.full(2, number, np.float32)}
    return Step(observation, np.float32(number), np.bool_(number == 2), np.bool_(0), np.bool_(number == 1))


def test_what_is_written_is_read() -> None:
    rows = Rows(SPACES, 3)
    for line in range(3):
        rows.write(line, row(line))
    answer = rows.read()
    assert answer.observation["image"][:, 2, 4, 1].tolist() == [0, 1, 2]
    assert answer.observation["place"].tolist() == [[0, 0], [1, 1], [2, 2]]
    assert answer.reward.tolist() == [0, 1, 2]
    assert (answer.terminated.tolist(), answer.is_first.tolist()) == ([False, False, True], [False, True, False])


def test_what_was_read_does_not_change() -> None:
    rows = Rows(SPACES, 1)
    before = rows.read()
    rows.write(0, row(7))
    assert before.reward[0] == 0
    assert before.observation["place"][0, 0] == 0


def stamped(memory: Memory) -> None:
    memory.view[3] = 42


def test_memory_given_to_a_process_is_the_same_memory() -> None:
    memory = Memory.new(64)
    process = multiprocessing.get_context("spawn").Process(target=stamped, args=(memory,))
    process.start()
    process.join()
    assert memory.view[3] == 42


def test_two_tables_on_one_memory_are_one() -> None:
    rows = Rows(SPACES, 2)
    twin = Rows(SPACES, 2, Memory(os.dup(rows.memory.handle)))
    rows.command[1], rows.seed[1], rows.action[1] = Command.STEP, 2**40, [2, 3]
    twin.write(1, row(9))
    assert (twin.command[1], twin.seed[1], twin.action[1].tolist()) == (Command.STEP, 2**40, [2, 3])
    assert rows.read().reward.tolist() == [0, 9]
