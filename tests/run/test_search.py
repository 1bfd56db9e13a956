"""A search on a hill: every candidate is scored once, the best mean is kept, and it goes on from anywhere."""

from collections.abc import Callable

import numpy as np
import pytest

from reverie.run.search import MEANS, Search, evolve

TOP = np.array([0.5, -0.3, 0.2])
POPULATION = 6


class Hill:
    """The nearer to the top the better; notes what it is asked, and may be interrupted at some calls."""

    def __init__(self, interrupted: tuple[int, ...] = ()) -> None:
        self.asked: list[tuple[int, list[int], int]] = []
        self.interrupted = interrupted

    def __call__(self, parameters: np.ndarray, numbers: np.ndarray, episodes: int) -> np.ndarray | None:
        self.asked.append((len(parameters), numbers.tolist(), episodes))
        if len(self.asked) - 1 in self.interrupted:
            return None
        return -((parameters - TOP) ** 2).sum(axis=1)


def searching(seed: int = 0) -> Search:
    return Search(np.zeros(3), 0.1, POPULATION, seed=seed)


def run(
    search: Search,
    hill: Hill,
    generations: int = 40,
    *,
    together: int = 100,
    finished: Callable[[], bool] | None = None,
) -> list[dict[str, float]]:
    steps = evolve(
        search, hill, together=together, generations=generations, rollouts=2, judge_every=3, episodes=5,
        finished=finished or (lambda: False),
    )  # fmt: skip
    return list(steps)


def test_it_climbs_and_the_best_mean_remains() -> None:
    search = searching()
    reports = run(search, Hill())
    judged = [report["mean/return"] for report in reports if "mean/return" in report]
    assert len(judged) == 14  # after 3, 6, ... 39, and in the end
    assert search.highest == max(judged) > -1e-3
    np.testing.assert_allclose(search.best, TOP, atol=0.05)
    assert search.generation == 40
    assert [report["generation"] for report in reports if "candidates/best" in report] == list(range(1, 41))


def test_both_halves_of_a_population_meet_the_same_dice() -> None:
    hill = Hill()
    run(searching(), hill, generations=4)
    assert hill.asked == [
        (6, [0, 1, 2, 0, 1, 2], 2),
        (6, [3, 4, 5, 3, 4, 5], 2),
        (6, [6, 7, 8, 6, 7, 8], 2),
        (1, [MEANS + 3], 5),
        (6, [9, 10, 11, 9, 10, 11], 2),
        (1, [MEANS + 4], 5),
    ]


def test_one_by_one_is_all_at_once() -> None:
    together, alone = searching(), searching()
    run(together, Hill(), 7)
    hill = Hill()
    run(alone, hill, 7, together=1)
    assert [numbers for count, numbers, _ in hill.asked[:7]] == [[0], [1], [2], [0], [1], [2], [3]]
    for name, array in together.state().items():
        np.testing.assert_array_equal(array, alone.state()[name], err_msg=name)


@pytest.mark.parametrize("calls", [0, 1, 4, 6, 19, 20, 33])
def test_it_goes_on_from_anywhere_as_if_nothing_had_been(calls: int) -> None:
    unbroken, broken = searching(), searching()
    run(unbroken, Hill(), 8, together=1)
    steps = evolve(
        broken, Hill(), together=1, generations=8, rollouts=2, judge_every=3, episodes=5, finished=lambda: False
    )
    for _ in range(calls):
        next(steps)
    again = searching()
    again.restore({name: np.array(array) for name, array in broken.state().items()})
    run(again, Hill(), 8, together=1)
    for name, array in unbroken.state().items():
        np.testing.assert_array_equal(array, again.state()[name], err_msg=name)


def test_what_was_interrupted_is_asked_again() -> None:
    whole, interrupted = searching(), searching()
    run(whole, Hill(), 4)
    hill = Hill(interrupted=(1, 4, 5))
    run(interrupted, hill, 4)
    assert hill.asked[1] == hill.asked[2]
    assert hill.asked[4] == hill.asked[5] == hill.asked[6] == (1, [MEANS + 3], 5)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(array, interrupted.state()[name], err_msg=name)


def test_it_ends_sooner_where_it_has_to_and_goes_on_from_there() -> None:
    hill, search, whole = Hill(), searching(), searching()
    run(search, hill, 5, together=1, finished=lambda: len(hill.asked) >= 9)
    assert (search.generation, search.scored, search.judged) == (1, 3, 0)
    np.testing.assert_array_equal(search.best, search.mean)
    run(search, Hill(), 5, together=1)
    run(whole, Hill(), 5)
    np.testing.assert_array_equal(search.best, whole.best)
