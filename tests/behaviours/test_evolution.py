import copy

import numpy as np
import pytest
from cmaes import CMA

from reverie.behaviours.evolution import _DOMAIN, Evolution

WIDTH, POPULATION = 6, 12


def slope(candidates):
    """Higher towards (1, 2, 3, ...), and a thousand times steeper along the first axis than along the last."""
    return -np.sum((candidates - np.arange(1, WIDTH + 1)) ** 2 * np.logspace(3, 0, WIDTH), axis=1)


def evolved(generations, seed=0):
    evolution = Evolution(np.zeros(WIDTH), 0.5, POPULATION, seed=seed)
    for _ in range(generations):
        candidates = evolution.ask()
        evolution.tell(candidates, slope(candidates))
    return evolution


def test_climbs_to_the_top_of_a_narrow_ridge():
    np.testing.assert_allclose(evolved(150).mean, np.arange(1, WIDTH + 1), atol=1e-3)


def test_is_the_librarys_with_the_sign_turned():
    evolution, library = (
        Evolution(np.ones(WIDTH), 0.1, POPULATION, seed=3),
        CMA(np.ones(WIDTH), 0.1, population_size=POPULATION),
    )
    for _ in range(3):
        candidates = evolution.ask()
        evolution.tell(candidates, slope(candidates))
        library.tell([(candidate, -score) for candidate, score in zip(candidates, slope(candidates), strict=True)])
    np.testing.assert_array_equal(evolution.mean, library.mean)


def test_candidates_are_the_librarys():
    evolution = evolved(5)
    asked = evolution.ask()
    library = copy.deepcopy(evolution._cma)
    library.reseed_rng(int(np.random.SeedSequence([_DOMAIN, 0, 5]).generate_state(1)[0]))
    np.testing.assert_allclose(asked, [library.ask() for _ in range(POPULATION)], rtol=1e-12, atol=1e-14)


def test_asking_changes_nothing_that_is_saved():
    evolution, asked = evolved(5), evolved(5)
    asked.ask()
    for name, array in evolution.state().items():
        np.testing.assert_array_equal(array, asked.state()[name], err_msg=name)


def test_asking_is_a_function_of_seed_and_generation():
    evolution = evolved(2)
    np.testing.assert_array_equal(evolution.ask(), evolution.ask())
    assert evolution.generation == 2
    assert not np.array_equal(evolution.ask(), evolved(3).ask())
    assert not np.array_equal(evolved(0, seed=0).ask(), evolved(0, seed=1).ask())


def test_goes_on_from_its_state_bit_by_bit():
    evolution, other = evolved(5), evolved(0)
    other.restore({name: array.copy() for name, array in evolution.state().items()})
    for _ in range(3):
        for one in (evolution, other):
            candidates = one.ask()
            one.tell(candidates, slope(candidates))
    assert other.generation == 8
    for name, array in evolution.state().items():
        np.testing.assert_array_equal(array, other.state()[name], err_msg=name)


def test_a_state_is_a_copy():
    evolution = evolved(1)
    state = evolution.state()
    before = {name: array.copy() for name, array in state.items()}
    candidates = evolution.ask()
    evolution.tell(candidates, slope(candidates))
    for name in state:
        np.testing.assert_array_equal(state[name], before[name])


def test_wrong_input_is_refused():
    evolution = evolved(0)
    candidates = evolution.ask()
    with pytest.raises(ValueError, match=r"1 of 12 scores are not finite"):
        evolution.tell(candidates, np.where(np.arange(POPULATION) == 3, np.nan, 0.0))
    with pytest.raises(ValueError, match=r"needs 12 candidates of 6 parameters"):
        evolution.tell(candidates[1:], np.zeros(POPULATION - 1))
    with pytest.raises(ValueError, match=r"population must be 3 or more"):
        Evolution(np.zeros(WIDTH), 0.1, 2, seed=0)
    with pytest.raises(ValueError, match=r"mean is not that of 6 parameters"):
        evolution.restore(Evolution(np.zeros(3), 0.1, POPULATION, seed=0).state())
