"""Which action gets which reward, what ends count, and what a policy that plans carries from step to step."""

from typing import Any

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
    NUMBER,
    TWO,
    Later,
    Linear,
    choices,
    linear_reward,
    riccati,
)

from reverie.behaviours.planner_config import CEMConfig, ICEMConfig, PlanningConfig, ShootingConfig, configured
from reverie.behaviours.planners import Planned, cem, middle, shift
from reverie.behaviours.planning_policy import PlanningPolicy, disturbed, imagined_return, planning
from reverie.errors import UserError
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.types import ArraySpec, Spaces

KEY = jr.key(0)
YES, NO = jnp.ones((), bool), jnp.zeros((), bool)


class Diary(AbstractWorldModel):
    """Remembers how long it has been imagined, and the last action: (time, action)."""

    def initial(self):
        return jnp.zeros(2)

    def encode(self, observation):
        return observation["x"]

    def observe(self, state, action, encoded, *, key):
        return jnp.stack([encoded[0], action[0]])

    def imagine(self, state, action, *, key):
        return jnp.stack([state[0] + 1, action[0]])


def worth(heads, plan, discount=1.0, begin=0.0):
    plan = jnp.array(plan)[:, None]
    return float(imagined_return(Diary(), heads, jnp.array([begin, 9.0]), plan, discount=discount, key=KEY))


# ----------------------------------------------------------- every off-by-one

PAID = {"reward": lambda state: 10 ** (state[0] - 1) * state[1]}
"""At s_t, 10^(t-1) times the action that led there."""


def test_each_action_gets_the_reward_of_the_state_it_leads_to() -> None:
    assert worth(PAID, [0.1, 0.2, 0.3]) == pytest.approx(0.1 + 2 + 30)


def test_the_present_state_s_reward_does_not_count() -> None:
    """It was met already: s_0 would pay 9 / 10, the action of s_0 being 9."""
    assert worth(PAID, [0.0]) == 0.0


def test_the_horizon_s_last_reward_counts_and_none_beyond() -> None:
    asked = {"reward": lambda state: (state[0] == 3).astype(jnp.float32)}
    assert [worth(asked, [0.0] * horizon) for horizon in (1, 2, 3, 4)] == [0, 0, 1, 1]


def ends_at(time):
    return {"reward": lambda state: 10 ** (state[0] - 1), "continue": lambda s: (s[0] != time).astype(jnp.float32)}


def test_the_reward_of_an_end_counts_and_what_would_follow_does_not() -> None:
    assert worth(ends_at(2), [0.0] * 4) == 1 + 10
    assert worth(ends_at(4), [0.0] * 4) == worth(ends_at(9), [0.0] * 4) == 1111


def test_that_the_present_state_is_no_end_is_known() -> None:
    assert worth(ends_at(0), [0.0] * 2) == 11


def test_a_likely_end_weighs_what_comes_after_it() -> None:
    heads = {"reward": lambda s: 10 ** (s[0] - 1), "continue": lambda s: jnp.where(s[0] == 1, 0.5, 0.25)}
    assert worth(heads, [0.0] * 3) == pytest.approx(1 + 0.5 * (10 + 0.25 * 100))
    assert worth(heads, [0.0] * 3, discount=0.1) == pytest.approx(1 + 0.05 * (10 + 0.025 * 100))


def test_a_value_is_the_last_state_s_and_comes_after_its_reward_and_its_end() -> None:
    heads = ends_at(9) | {"value": lambda state: 7000 * state[0]}
    assert worth(heads, [0.0] * 3) == 111 + 3 * 7000
    assert worth(heads, [0.0] * 3, discount=0.5) == 1 + 0.5 * (10 + 0.5 * (100 + 0.5 * 21000))
    assert worth(ends_at(3) | {"value": heads["value"]}, [0.0] * 3) == 111


# ----------------------------------------------------------- the policy


class Knowing(AbstractPolicy[Any]):
    """Acts as the toy wants it, seen or imagined: always choice 1."""

    def initial(self):
        return ()

    def act(self, carry, observation, is_first, *, key):
        return self.choose(None, key)[0], carry

    def choose(self, state, key):
        return jnp.array([1]), jnp.array([0.0, 1.0])


class Mute(AbstractPolicy[Any]):
    """Cannot act in a dream."""

    def initial(self):
        return ()

    def act(self, carry, observation, is_first, *, key):
        return jnp.zeros(1), carry


def trained(model, heads, spec: ArraySpec, policy: Any = None) -> Trained:
    return Trained(Spaces({"x": ArraySpec("vector", (2,))}, spec), model, policy or Mute(), heads)


@eqx.filter_jit
def act(policy, carry, observation, is_first, key):
    return policy.act(carry, {"x": observation}, is_first, key=key)


def test_it_sees_and_takes_the_first_action_of_the_best_plan() -> None:
    """The optimum of the linear world, from what was seen, not from what was believed before."""
    policy = planning(
        trained(Linear(), {"reward": linear_reward}, NUMBER), "cem", horizon=6, candidates=128, iterations=8
    )
    action, memory = act(policy, policy.initial(), jnp.asarray(BEGIN), YES, KEY)
    best = riccati(BEGIN, 6)
    np.testing.assert_allclose(action, best[0], atol=0.1)
    np.testing.assert_array_equal(memory.state[:2], BEGIN)
    np.testing.assert_array_equal(memory.action, action)
    assert (action.shape, action.dtype) == ((1,), jnp.float32)


def test_it_acts_now_on_what_pays_now() -> None:
    """If only the first action pays, it is that which is taken; if only the second, the first is left to chance."""
    for paying in (1.0, 2.0):
        heads = {"reward": lambda state, paying=paying: jnp.where(state[0] == paying, state[1], 0.0)}
        policy = planning(trained(Diary(), heads, NUMBER), "shooting", horizon=2, candidates=200)
        action, memory = act(policy, policy.initial(), jnp.zeros(2), YES, KEY)
        assert memory.mean[int(paying) - 1, 0] > 0.95
        assert (action[0] > 0.95) == (paying == 1.0)


def echo(score, spec, start, settings, *, proposals, key):
    """Plans what it began with, and keeps the last of the proposals: shows what a planner is given."""
    return Planned(proposals[0], start + jnp.arange(3.0)[:, None], proposals[-1:] + 10 * jnp.arange(3.0)[None, :, None])


def echoing(**how) -> PlanningPolicy:
    config = PlanningConfig(horizon=3, **how)
    one_is_kept = ICEMConfig(candidates=2, elites=1, keep=1.0)
    return PlanningPolicy(Diary(), PAID, None, NUMBER, echo, one_is_kept, config)


def test_mean_and_kept_plans_move_on_by_one_and_begin_anew_with_an_episode() -> None:
    policy = echoing()
    _, first = act(policy, policy.initial(), jnp.zeros(2), YES, KEY)
    np.testing.assert_array_equal(first.mean, [[0.0], [1.0], [2.0]])
    began = np.asarray(first.kept[0, :, 0]) - 10 * np.arange(3)
    assert np.abs(began).max() <= 1
    assert len(set(began.tolist())) == 3, "where nothing was kept there are plans drawn uniformly"
    action, second = act(policy, first, jnp.zeros(2), NO, KEY)
    np.testing.assert_array_equal(second.mean, shift(NUMBER, first.mean) + jnp.arange(3.0)[:, None])
    np.testing.assert_allclose(second.kept[0, :, 0], np.asarray(first.kept[0, [1, 2, 2], 0]) + 10 * np.arange(3))
    np.testing.assert_array_equal(action, first.kept[0, 1])
    _, anew = act(policy, second, jnp.zeros(2), YES, KEY)
    jax.tree.map(np.testing.assert_array_equal, anew, first)


def test_planet_begins_every_decision_with_nothing() -> None:
    policy = echoing(warm=False)
    _, first = act(policy, policy.initial(), jnp.zeros(2), YES, KEY)
    _, second = act(policy, first, jnp.zeros(2), NO, KEY)
    np.testing.assert_array_equal(second.mean, first.mean)


def test_it_filters_with_the_action_that_it_took_and_forgets_it_in_a_new_episode() -> None:
    policy = planning(trained(Diary(), PAID, NUMBER), "shooting", horizon=2, candidates=10, noise=0.3)
    action, first = act(policy, policy.initial(), jnp.array([5.0, 0.0]), YES, KEY)
    _, second = act(policy, first, jnp.array([6.0, 0.0]), NO, KEY)
    np.testing.assert_array_equal(second.state, [6.0, action[0]])
    _, anew = act(policy, second, jnp.array([7.0, 0.0]), YES, KEY)
    np.testing.assert_array_equal(anew.state, [7.0, 0.0])


def brighter(observation, *, key):
    return {name: value + 1 + jr.uniform(key) for name, value in observation.items()}


class Seeing(Mute):
    """What it sees goes through something with dice first (PlaNet's pictures)."""

    see: Any = eqx.field(static=True, default=brighter)


def test_it_sees_as_the_run_s_own_policy_does() -> None:
    policy = planning(trained(Diary(), PAID, NUMBER, Seeing()), "shooting", horizon=2, candidates=10)
    seen = [act(policy, policy.initial(), jnp.array([5.0, 0.0]), YES, jr.key(seed))[1].state[0] for seed in (0, 1)]
    assert 6 < min(seen) < max(seen) < 7, "with other dice every time"


def test_garbage_of_the_last_episode_is_not_remembered() -> None:
    policy = planning(trained(Diary(), PAID, NUMBER), "icem", horizon=2, candidates=20)
    garbage = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), policy.initial())
    clean = act(policy, policy.initial(), jnp.zeros(2), YES, KEY)
    jax.tree.map(np.testing.assert_array_equal, act(policy, garbage, jnp.zeros(2), YES, KEY), clean)


def test_the_run_s_own_policy_proposes() -> None:
    """Of 2^12 plans one is worth something; the policy knows it."""
    heads = {"reward": lambda state: jnp.where(state[0] == 12, state[1], 0.0)}

    class Chain(Diary):  # a streak of 1s
        def imagine(self, state, action, *, key):
            return jnp.stack([state[0] + 1, jnp.where(state[0] == 0, 1.0, state[1]) * action[1]])

    for proposals in (0, 1):
        run = trained(Chain(), heads, CHOICE, Knowing())
        policy = planning(run, "shooting", candidates=4, proposals=proposals)
        action, memory = act(policy, policy.initial(), jnp.zeros(2), YES, KEY)
        right = choices(*[1] * 12)
        assert bool(jnp.all(memory.mean == right)) == bool(proposals)
        assert (action.shape, action.dtype) == ((1,), jnp.int32)
    np.testing.assert_array_equal(policy.propose(jnp.zeros(2), key=KEY), right[None])


def test_many_environments_are_as_many_policies_and_compile_once() -> None:
    traced = []

    def reward(state):
        traced.append(state)
        return LATER["reward"](state)

    run = trained(Later(), {"reward": reward}, CHOICE)
    numbers = {"horizon": 6, "candidates": 16, "iterations": 2}
    keys, first = jr.split(KEY, 2), jnp.array([True, False])
    begun = act(planning(run, "cem", **numbers), planning(run, "cem", **numbers).initial(), jnp.zeros(2), YES, KEY)
    once = len(traced)
    for key, is_first in zip(keys, first, strict=True):
        act(planning(run, "cem", **numbers), begun[1], jnp.zeros(2), is_first, key)
    assert len(traced) == once > 0, "a policy that is made again, other keys and memories: the same program"
    policy = planning(run, "cem", **numbers)
    carries = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), begun[1])
    together = jax.jit(jax.vmap(lambda *row: act(policy, *row)))(carries, jnp.zeros((2, 2)), first, keys)
    for row in range(2):
        alone = act(policy, begun[1], jnp.zeros(2), first[row], keys[row])
        jax.tree.map(lambda a, b, row=row: np.testing.assert_allclose(a[row], b, atol=1e-6), together, alone)


def test_noise_is_added_to_what_is_done() -> None:
    keys = jr.split(KEY, 4000)
    numbers = jax.vmap(lambda key: disturbed(NUMBER, jnp.array([0.2]), 0.1, key=key))(keys)
    assert float(numbers.mean()) == pytest.approx(0.2, abs=0.01)
    assert float(numbers.std()) == pytest.approx(0.1, abs=0.01)
    assert np.abs(jax.vmap(lambda key: disturbed(NUMBER, jnp.array([0.9]), 2.0, key=key))(keys)).max() == 1
    before = jnp.array([1.0, 0, 0, 1, 0])
    after = jax.vmap(lambda key: disturbed(TWO, before, 0.3, key=key))(keys)
    np.testing.assert_allclose(after.mean(0), [0.85, 0.15, 0.1, 0.8, 0.1], atol=0.03)
    np.testing.assert_array_equal(after.sum(1), np.full(4000, 2.0))
    assert disturbed(TWO, before, 0.0, key=KEY) is before


def test_heads_count_as_they_are_asked_for() -> None:
    heads = PAID | {"continue": lambda state: jnp.ones(()), "value": lambda state: state[0]}
    run = trained(Diary(), heads, NUMBER)
    assert list(planning(run, "cem").heads) == ["reward", "continue"]
    assert list(planning(run, "cem", value=True).heads) == ["reward", "continue", "value"]
    policy = planning(run, "cem", candidates=30)
    assert (policy.planner, policy.settings) == (cem, CEMConfig(candidates=30, elites=3))
    assert policy.config == configured("cem")[0]
    assert planning(run, "shooting").settings == ShootingConfig()
    np.testing.assert_array_equal(policy.initial().mean, middle(NUMBER, 12))


@pytest.mark.parametrize(
    ("heads", "numbers", "said"),
    [
        ({"decode": lambda _: None, "continue": lambda _: None}, {}, "no head for reward; it has decode, continue"),
        ({}, {}, "it has none"),
        (PAID, {"value": True}, "no head for value; it has reward. Plan without --value"),
        (PAID, {"proposals": 3}, "cannot act in a dream"),
        (PAID, {"elites": -1}, "CEMConfig.elites must be from 1 to 1000, got -1"),
    ],
)
def test_what_cannot_be_planned_is_refused(heads, numbers, said) -> None:
    with pytest.raises(UserError, match=said):
        planning(trained(Diary(), heads, NUMBER), "cem", **numbers)


def test_in_a_state_of_a_dream_it_plans_from_nothing() -> None:
    policy = planning(trained(Diary(), PAID, NUMBER), "icem", horizon=2, candidates=200)
    action, vector = policy.choose(policy.model.initial(), KEY)
    np.testing.assert_array_equal(action, vector)
    assert action[0] > 0.9, "the more the better"
