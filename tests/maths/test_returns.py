import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.maths.returns import lambda_return

HORIZON = 6
returns_of = jax.jit(lambda_return)


def brute_force(reward, discount, value, mix):
    """The mean of all n-step returns, written as the sum over the step at which each stops and bootstraps."""
    returns = []
    for start in range(len(reward)):
        total, alive = 0.0, 1.0
        for t in range(start, len(reward)):
            stop = 1.0 if t == len(reward) - 1 else 1 - mix[t]
            total += alive * (reward[t] + discount[t] * stop * value[t])
            alive *= discount[t] * mix[t]
        returns.append(total)
    return returns


numbers = st.lists(st.floats(-10, 10, width=32), min_size=HORIZON, max_size=HORIZON)
fractions = st.lists(st.floats(0, 1, width=32), min_size=HORIZON, max_size=HORIZON)


@given(numbers, fractions, numbers, fractions)
def test_it_is_the_mean_of_all_n_step_returns(reward, discount, value, mix):
    arrays = [np.array(x, np.float32) for x in (reward, discount, value, mix)]
    np.testing.assert_allclose(returns_of(*arrays), brute_force(*arrays), rtol=1e-4, atol=1e-4)


@pytest.fixture
def arrivals():
    reward, discount, value = np.random.default_rng(0).uniform(size=(3, HORIZON)).astype(np.float32)
    return reward, discount, value


def test_lambda_0_is_one_step(arrivals):
    reward, discount, value = arrivals
    np.testing.assert_allclose(lambda_return(*map(jnp.asarray, arrivals), 0.0), reward + discount * value, rtol=1e-6)


def test_lambda_1_is_the_whole_sum(arrivals):
    reward, discount, value = arrivals
    alive = np.cumprod(np.concatenate([[1.0], discount]))
    first = np.sum(alive[:-1] * reward) + alive[-1] * value[-1]
    np.testing.assert_allclose(lambda_return(*map(jnp.asarray, arrivals), 1.0)[0], first, rtol=1e-5)


def test_nothing_comes_back_from_beyond_a_terminal(arrivals):
    reward, discount, value = (jnp.asarray(x) for x in arrivals)

    def first(later):
        changed = reward.at[3:].add(later), discount.at[2].set(0.0), value.at[2:].add(later)
        return lambda_return(*changed, 0.9)[0]

    assert first(0.0) == first(100.0)
    assert jax.grad(first)(0.0) == 0


def test_imagined_returns_of_the_sheet():
    """rew = [9, 1, 0, 2], val = [.5, 1, 1.5, 2], con = [.9, .8, 1, .5]: the first of each is no arrival."""
    reward, value, survival = jnp.array([1.0, 0, 2]), jnp.array([1, 1.5, 2]), jnp.array([0.8, 1, 0.5])
    np.testing.assert_allclose(lambda_return(reward, survival, value, 0.95), [3.263, 2.925, 3.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("terminated", "expected"),
    [([0.0, 1, 0], [2.944144, 2.0, 1.993994]), ([0.0, 0, 0], [4.360598, 3.495495, 1.993994])],
    ids=["terminated", "truncated"],
)
def test_replayed_returns_of_the_sheet(terminated, expected):
    """boot = [.5, 1, 1.5, 2], rew = [0, 1, 2, 0], last = [0, 0, 1, 0]; gamma 1 - 1/333, lambda 0 where last."""
    discount = (1 - jnp.array(terminated)) * (1 - 1 / 333)
    mix = (1 - jnp.array([0.0, 1, 0])) * 0.95
    returns = lambda_return(jnp.array([1.0, 2, 0]), discount, jnp.array([1, 1.5, 2]), mix)
    np.testing.assert_allclose(returns, expected, atol=1e-6)


def test_the_returns_of_earlier_dreamers_are_the_same_with_this_step_s_reward():
    """r = [1, 0, 2], v = [.5, 1, 1.5], bootstrap 2, d = .99: R_i = r_i + d (.05 v_{i+1} + .95 R_{i+1})."""
    returns = lambda_return(jnp.array([1.0, 0, 2]), jnp.full(3, 0.99), jnp.array([1, 1.5, 2]), 0.95)
    np.testing.assert_allclose(returns, [4.639802, 3.81744, 3.98], rtol=1e-6)
