"""Planners against exact optima, against loops written out, and at every edge."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from behaviours.known import (
    BEGIN,
    CHOICE,
    LATER,
    LEAVING,
    NUMBER,
    TWO,
    Later,
    Leaving,
    Linear,
    best_of_all,
    choices,
    linear_reward,
    played,
    riccati,
)

from reverie.behaviours.planner_config import (
    CONFIGS,
    CEMConfig,
    GradientConfig,
    ICEMConfig,
    MPPIConfig,
    ShootingConfig,
    configured,
)
from reverie.behaviours.planners import (
    PLANNERS,
    action_of,
    cem,
    coloured,
    drawn,
    gradient,
    icem,
    legal,
    middle,
    mppi,
    random_shooting,
    refit,
    shift,
    shift_plan,
    uniform,
)
from reverie.behaviours.planning_policy import imagined_return
from reverie.maths.distributions import action_vector

HORIZON = 6
KEY = jr.key(0)
SMALL = {
    "shooting": ShootingConfig(candidates=256),
    "cem": CEMConfig(candidates=128, iterations=8, elites=16),
    "icem": ICEMConfig(candidates=128, iterations=6, elites=16, colour=0.5),
    "mppi": MPPIConfig(candidates=128, iterations=8, elites=32, temperature=10.0, std=1.0, min_std=0.01),
    "gradient": GradientConfig(candidates=8, iterations=60, rate=0.05),
}
GOOD = ("cem", "icem", "mppi", "gradient")
"""Those that improve on what they have drawn."""


@jax.jit
def linear(plan, key):
    state = jnp.concatenate([jnp.asarray(BEGIN), jnp.zeros(1)])
    return imagined_return(Linear(), {"reward": linear_reward}, state, plan, key=key)


@jax.jit
def later(plan, key):
    return imagined_return(Later(), LATER, jnp.zeros(3), plan, key=key)


@jax.jit
def leaving(plan, key):
    return imagined_return(Leaving(), LEAVING, jnp.zeros(2), plan, key=key)


@eqx.filter_jit
def planned(name, score, spec, settings, start, proposals, key):
    return PLANNERS[name](score, spec, start, settings, proposals=proposals, key=key)


def plan_of(name, score, spec, *, settings=None, start=None, proposals=None, key=KEY):
    start = middle(spec, HORIZON) if start is None else start
    return planned(name, score, spec, settings or SMALL[name], start, proposals, key)


@pytest.fixture(scope="module")
def optimum():
    plan = riccati(BEGIN, HORIZON)
    assert np.abs(plan).max() < 1, "the bounds do not matter here"
    return jnp.asarray(plan)


# ----------------------------------------------------------- exact optima


def test_riccati_is_the_optimum(optimum) -> None:
    """The slope of what is scored is zero there, so the score adds up exactly the rewards that Riccati minimises."""
    slope = jax.grad(lambda plan: linear(plan, KEY))(optimum)
    assert np.abs(slope).max() < 1e-5


@pytest.mark.parametrize("name", GOOD)
def test_numbers_reach_the_exact_optimum(name, optimum) -> None:
    found = plan_of(name, linear, NUMBER).plan
    assert linear(optimum, KEY) - linear(found, KEY) < 0.01 * abs(linear(optimum, KEY))
    np.testing.assert_allclose(found[0], optimum[0], atol=0.1)


def test_random_shooting_comes_nearer_with_more_plans(optimum) -> None:
    few, many = (plan_of("shooting", linear, NUMBER, settings=ShootingConfig(candidates=n)).plan for n in (4, 4096))
    assert linear(few, KEY) < linear(many, KEY) <= linear(optimum, KEY)


@pytest.mark.parametrize("name", PLANNERS)
def test_choices_reach_the_exact_optimum(name) -> None:
    """The first choice alone matters, and pays six steps later: there and in the toy itself."""
    found = plan_of(name, later, CHOICE).plan
    assert later(found, KEY) == best_of_all(later, HORIZON) == played("Delay", found) == 1.0


@pytest.mark.parametrize("name", PLANNERS)
def test_what_would_come_after_an_end_does_not_count(name) -> None:
    """Stay, and leave with the last action: who counts rewards beyond the end leaves at once and for ever."""
    found = plan_of(name, leaving, CHOICE).plan
    np.testing.assert_array_equal(found, choices(0, 0, 0, 0, 0, 1))
    assert leaving(found, KEY) == pytest.approx(best_of_all(leaving, HORIZON)) == pytest.approx(1.5)
    assert played("End", found) == pytest.approx(1.5)
    forgetful = lambda plan, key: imagined_return(Leaving(), {"reward": LEAVING["reward"]}, jnp.zeros(2), plan, key=key)
    np.testing.assert_array_equal(plan_of(name, forgetful, CHOICE).plan, choices(1, 1, 1, 1, 1, 1))


@pytest.mark.parametrize("name", PLANNERS)
def test_several_choices_at_once(name) -> None:
    """Of two elements the right classes are 1 and 2, step by step."""
    wanted = jnp.tile(jnp.array([0.0, 1, 0, 0, 1]), (3, 1))
    score = lambda plan, key: jnp.sum(plan * wanted)
    found = plan_of(name, score, TWO, start=middle(TWO, 3)).plan
    np.testing.assert_array_equal(found, wanted)
    assert action_of(TWO, found[0]).tolist() == [1, 2]


@pytest.mark.parametrize("name", GOOD)
def test_bounds_are_respected_and_reached(name) -> None:
    """More at first and less later is better, without end: the best that can be done lies at the bounds."""
    wanted = jnp.repeat(jnp.array([[1.0], [-1.0]]), HORIZON // 2, axis=0)
    outside = lambda plan: jnp.any(jnp.abs(plan) > 1)
    score = lambda plan, key: 0.1 * jnp.sum(wanted * plan) + jnp.where(outside(plan), 1e6, 0.0)
    found = plan_of(name, score, NUMBER).plan
    assert not outside(found)
    assert jnp.abs(found - wanted).mean() < 0.15, "a plan that knows nothing is 1 away"


# ----------------------------------------------------------- the same, as a loop


def best(plans, scores, count):
    order = np.argsort(-scores, kind="stable")[:count]
    return plans[order], scores[order]


def test_cem_is_the_loop_of_planet() -> None:
    settings = CEMConfig(candidates=20, iterations=3, elites=5)
    mean, std = np.zeros((HORIZON, 1)), np.ones((HORIZON, 1))
    for key in jr.split(KEY, 3):
        noise_key, _ = jr.split(key)
        plans = np.clip(mean + std * np.asarray(jr.normal(noise_key, (20, HORIZON, 1))), -1, 1)
        elites, _ = best(plans, np.array([linear(jnp.float32(plan), KEY) for plan in plans]), 5)
        mean, std = elites.mean(0), np.sqrt(elites.var(0) + 1e-6)
    found = plan_of("cem", linear, NUMBER, settings=settings)
    np.testing.assert_allclose(found.plan, mean, atol=1e-5)
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)


def test_mppi_weighs_by_the_exponential_of_the_score() -> None:
    settings = MPPIConfig(candidates=20, iterations=2, elites=8, temperature=3.0, std=0.7, min_std=0.2, momentum=0.25)
    mean, std = np.zeros((HORIZON, 1)), np.full((HORIZON, 1), 0.7)
    for key in jr.split(KEY, 2):
        noise_key, _ = jr.split(key)
        plans = np.clip(mean + std * np.asarray(jr.normal(noise_key, (20, HORIZON, 1))), -1, 1)
        elites, scores = best(plans, np.array([linear(jnp.float32(plan), KEY) for plan in plans]), 8)
        weights = np.exp(3.0 * (scores - scores.max()))
        weights = (weights / weights.sum())[:, None, None]
        fitted = (weights * elites).sum(0)
        std = np.clip(np.sqrt((weights * (elites - fitted) ** 2).sum(0)), 0.2, 0.7)
        mean = 0.25 * mean + 0.75 * fitted
    np.testing.assert_allclose(plan_of("mppi", linear, NUMBER, settings=settings).plan, mean, atol=1e-5)


def test_icem_is_the_loop_of_its_paper() -> None:
    settings = ICEMConfig(candidates=24, iterations=3, elites=6, colour=1.0, decay=1.25, keep=0.5, momentum=0.2)
    proposals = uniform(NUMBER, (2, HORIZON, 1), key=jr.key(5))
    mean, std = np.zeros((HORIZON, 1)), np.full((HORIZON, 1), 0.5)
    kept = np.zeros((0, HORIZON, 1))
    for turn, (count, key) in enumerate(zip((24, 19, 15), jr.split(KEY, 3), strict=True)):
        noise = np.asarray(coloured(1.0, (count, HORIZON, 1), key=jr.split(key)[0]))
        plans = np.clip(mean + std * noise, -1, 1)
        if turn == 2:
            plans[0] = mean
        plans = np.concatenate([plans, *([proposals] if turn == 0 else []), kept])
        elites, _ = best(plans, np.array([linear(jnp.float32(plan), KEY) for plan in plans]), 6)
        kept = elites[:3]
        mean, std = 0.2 * mean + 0.8 * elites.mean(0), 0.2 * std + 0.8 * elites.std(0)
    found = plan_of("icem", linear, NUMBER, settings=settings, proposals=proposals)
    np.testing.assert_allclose(found.plan, elites[0], atol=1e-5)
    np.testing.assert_allclose(found.mean, mean, atol=1e-5)
    np.testing.assert_allclose(found.kept, kept, atol=1e-5)


def test_refit_is_mean_and_variance() -> None:
    plans = jr.normal(KEY, (7, 3, 2))
    mean, variance = refit(plans, jnp.full(7, 1 / 7))
    np.testing.assert_allclose(mean, np.mean(plans, 0), atol=1e-6)
    np.testing.assert_allclose(variance, np.var(plans, 0), atol=1e-6)


# ----------------------------------------------------------- start and proposals


def needle(plan, key):
    """Only one plan of 2^6 is worth anything."""
    return jnp.all(plan == choices(1, 0, 1, 1, 0, 1)).astype(jnp.float32)


FEW = {
    "shooting": ShootingConfig(candidates=2),
    "cem": CEMConfig(candidates=2, iterations=2, elites=1),
    "icem": ICEMConfig(candidates=2, iterations=2, elites=1, keep=1.0),
    "mppi": MPPIConfig(candidates=2, iterations=2, elites=2, temperature=50.0, momentum=0.0),
    "gradient": GradientConfig(candidates=1, iterations=1),
}


@pytest.mark.parametrize("name", PLANNERS)
def test_a_proposal_that_is_best_is_taken(name) -> None:
    proposals = jnp.stack([choices(0, 0, 0, 0, 0, 0), choices(1, 0, 1, 1, 0, 1)])
    assert needle(plan_of(name, needle, CHOICE, settings=FEW[name]).plan, KEY) == 0
    assert needle(plan_of(name, needle, CHOICE, settings=FEW[name], proposals=proposals).plan, KEY) == 1


@pytest.mark.parametrize("name", PLANNERS)
def test_a_proposal_that_is_bad_does_no_harm(name) -> None:
    bad = choices(0, 0, 0, 0, 0, 0)[None]
    assert later(plan_of(name, later, CHOICE, proposals=bad).plan, KEY) == 1.0


def test_icem_forgets_what_is_not_kept() -> None:
    proposals = choices(1, 0, 1, 1, 0, 1)[None]
    forgets = dataclasses.replace(FEW["icem"], keep=0.0, momentum=1.0)
    assert needle(plan_of("icem", needle, CHOICE, settings=forgets, proposals=proposals).plan, KEY) == 0


def test_icem_s_mean_is_a_plan_of_the_last_iteration() -> None:
    start = jnp.full((HORIZON, 1), 0.3)
    stays = ICEMConfig(candidates=4, iterations=2, elites=2, momentum=1.0)
    score = lambda plan, key: -jnp.sum(jnp.abs(plan - start))
    np.testing.assert_array_equal(plan_of("icem", score, NUMBER, settings=stays, start=start).plan, start)


@pytest.mark.parametrize("name", PLANNERS)
def test_a_good_start_helps(name, optimum) -> None:
    """With next to nothing to search with, who begins at the optimum ends nearer to it."""
    few = {"shooting": 2, "cem": 4, "icem": 4, "mppi": 4, "gradient": 1}[name]
    _, settings = configured(name, candidates=few, **({} if name == "shooting" else {"iterations": 1}))
    narrow = {"std": 0.1, "min_std": 0.01}
    settings = dataclasses.replace(settings, **{it: value for it, value in narrow.items() if it in vars(settings)})
    cold, warm = (plan_of(name, linear, NUMBER, settings=settings, start=start).plan for start in (-optimum, optimum))
    assert linear(warm, KEY) > linear(cold, KEY)


def test_a_start_is_shifted_by_one() -> None:
    numbers = jnp.array([[1.0], [2.0], [3.0]])
    np.testing.assert_array_equal(shift(NUMBER, numbers), [[2.0], [3.0], [3.0]])
    np.testing.assert_array_equal(shift_plan(numbers), [[2.0], [3.0], [3.0]])
    shifted = shift(TWO, jnp.array([[1.0, 0, 1, 0, 0], [0, 1.0, 0, 0, 1]]))
    np.testing.assert_allclose(shifted, np.tile([0.25, 0.75, 1 / 6, 1 / 6, 2 / 3], (2, 1)), atol=1e-6)


def test_the_middle_knows_nothing() -> None:
    np.testing.assert_array_equal(middle(NUMBER, 2), [[0.0], [0.0]])
    np.testing.assert_allclose(middle(TWO, 2), np.tile([1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3], (2, 1)))


# ----------------------------------------------------------- dice, shapes, edges


@pytest.mark.parametrize("name", PLANNERS)
def test_every_plan_meets_its_own_dice_and_all_are_counted(name) -> None:
    seen = []

    def score(plan, key):
        jax.debug.callback(lambda bits: seen.append(tuple(np.ravel(bits).tolist())), jr.key_data(key))
        return jnp.sum(plan)

    proposals = uniform(NUMBER, (3, HORIZON, 1), key=jr.key(1))
    settings = FEW[name]
    jax.block_until_ready(plan_of(name, score, NUMBER, settings=settings, proposals=proposals))
    jax.effects_barrier()
    assert len(seen) == len(set(seen)) == settings.scored(3 - settings.kept)


@pytest.mark.parametrize("spec", [NUMBER, CHOICE], ids=["numbers", "choices"])
@pytest.mark.parametrize("name", PLANNERS)
def test_the_same_key_plans_alike_and_a_batch_is_one_by_one(name, spec) -> None:
    keys, places = jr.split(jr.key(3), 3), jnp.array([0.2, -0.4, 0.6])
    settings = FEW[name]

    def one(place, key):
        score = lambda plan, key: -jnp.sum((plan[:, 0] - place) ** 2)
        return PLANNERS[name](score, spec, middle(spec, HORIZON), settings, proposals=None, key=key)

    together, single = jax.jit(jax.vmap(one))(places, keys), jax.jit(one)
    for row, (place, key) in enumerate(zip(places, keys, strict=True)):
        alone, again = single(place, key), single(place, key)
        for batched, once, twice in zip(together, alone, again, strict=True):
            np.testing.assert_allclose(batched[row], once, atol=1e-5)
            np.testing.assert_array_equal(once, twice)
    if spec is NUMBER and name not in ("shooting", "gradient"):  # of which so few may all be the start
        assert not np.allclose(single(places[0], keys[0]).plan, single(places[0], keys[1]).plan)


@pytest.mark.parametrize("name", PLANNERS)
def test_one_compilation_for_one_shape(name) -> None:
    traced = []

    def score(plan, key):
        traced.append(plan)
        return jnp.sum(plan)

    step = jax.jit(lambda start, key: PLANNERS[name](score, NUMBER, start, FEW[name], key=key).plan)
    step(middle(NUMBER, HORIZON), jr.key(0))
    first = len(traced)
    for seed in range(1, 4):
        step(middle(NUMBER, HORIZON) + 0.1 * seed, jr.key(seed))
    assert first
    assert len(traced) == first


@pytest.mark.parametrize("name", PLANNERS)
def test_a_score_that_is_no_number_is_the_worst(name) -> None:
    score = lambda plan, key: jnp.where(plan[0, 0] > 0.2, jnp.nan, plan[0, 0])
    assert -1 <= plan_of(name, score, NUMBER).plan[0, 0] <= 0.25
    every = lambda plan, key: jnp.nan * jnp.sum(plan)
    assert np.isfinite(plan_of(name, every, NUMBER).plan).all()


@pytest.mark.parametrize("name", PLANNERS)
def test_a_horizon_of_one(name) -> None:
    score = lambda plan, key: -jnp.sum((plan - 0.5) ** 2)
    assert plan_of(name, score, NUMBER, start=middle(NUMBER, 1)).plan.item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", PLANNERS)
def test_plans_of_choices_can_be_done(name) -> None:
    score = lambda plan, key: jnp.sum(plan * jr.normal(jr.key(9), plan.shape))
    found = plan_of(name, score, TWO, start=middle(TWO, 3), settings=FEW[name]).plan
    for row in np.asarray(found):
        np.testing.assert_allclose(action_vector(TWO, action_of(TWO, jnp.asarray(row))), row, atol=1e-6)


# ----------------------------------------------------------- what is drawn


def test_choices_are_drawn_with_the_probabilities_of_the_mean() -> None:
    mean = jnp.array([[0.2, 0.8, 0.1, 0.0, 0.9]])
    for colour in (0.0, 3.0):
        plans = drawn(TWO, mean, jnp.zeros_like(mean), coloured(colour, (20_000, 1, 5), key=KEY))
        np.testing.assert_allclose(plans.mean(0), mean, atol=0.02)
        assert plans[:, 0, 3].max() == 0, "what has no probability is never drawn"


def test_uniform_plans_are_uniform() -> None:
    numbers = uniform(NUMBER, (20_000, 2, 1), key=KEY)
    np.testing.assert_allclose(np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]), [-1, -0.5, 0, 0.5, 1], atol=0.03)
    np.testing.assert_allclose(uniform(TWO, (20_000, 2, 5), key=KEY).mean(0), middle(TWO, 2), atol=0.02)


@pytest.mark.parametrize("horizon", [1, 2, 7])
@pytest.mark.parametrize("colour", [0.0, 2.5])
def test_noise_of_any_colour_is_standard_normal_at_every_step(colour, horizon) -> None:
    noise = np.asarray(coloured(colour, (40_000, horizon, 1), key=KEY))[..., 0]
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(noise.std(0), 1, atol=0.03)


def test_the_power_of_noise_falls_with_its_colour() -> None:
    for colour in (0.0, 1.0, 2.5):
        noise = np.asarray(coloured(colour, (40_000, 12, 1), key=KEY))[..., 0]
        power = (np.abs(np.fft.rfft(noise, axis=1)) ** 2).mean(0)
        np.testing.assert_allclose(power[2:6] / power[1], np.arange(2, 6) ** -colour, rtol=0.05)
        neighbours = np.corrcoef(noise[:, 3], noise[:, 4])[0, 1]
        assert neighbours == pytest.approx(0, abs=0.02) if colour == 0 else neighbours > 0.2


def test_legal_is_the_nearest_that_can_be_done() -> None:
    np.testing.assert_array_equal(legal(NUMBER, jnp.array([[3.0], [-0.5]])), [[1.0], [-0.5]])
    np.testing.assert_array_equal(legal(TWO, jnp.array([[0.6, 0.4, 0.1, 0.5, 0.4]])), [[1.0, 0, 0, 1, 0]])


def test_the_planners_have_the_names_of_their_settings() -> None:
    assert {"shooting": random_shooting, "cem": cem, "icem": icem, "mppi": mppi, "gradient": gradient} == PLANNERS
    assert PLANNERS.keys() == CONFIGS.keys()
