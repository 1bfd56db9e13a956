"""The drawing of time, proved with one episode whose numbers are written by hand.

The world adds: it shows the sum of all actions so far, so o_{t+1} = o_t + a_t. Five actions 1, 2, 4, 8, 3 and the end:

    row t            0    1    2    3    4    5        6
    o_t              0    1    3    7   15   18        0      the next episode's first row
    a_t              1    2    4    8    3    0        1      the action of a last row is zero
    r_t              0    1    0    2    0    8        0      met on arriving
    terminated       .    .    .    .    .    yes      .
    is_first         yes  .    .    .    .    .        yes
"""

from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reverie import rollout
from reverie.data.replay import Replay
from reverie.envs.pool import Pool
from reverie.maths.distributions import action_vector
from reverie.maths.returns import lambda_return
from reverie.protocol import AbstractWorldModel
from reverie.run.collect import Collector
from reverie.types import ArraySpec, Sequence, Step

SHOWN = np.array([0, 1, 3, 7, 15, 18, 0], np.float32)
ACTION = np.array([1, 2, 4, 8, 3, 0, 1], np.int32)
REWARD = np.array([0, 1, 0, 2, 0, 8, 0], np.float32)
TERMINATED = np.array([0, 0, 0, 0, 0, 1, 0], bool)
IS_FIRST = np.array([1, 0, 0, 0, 0, 0, 1], bool)
TABLE = Sequence({"observation": SHOWN[:, None]}, ACTION[:, None], REWARD, TERMINATED, np.zeros(7, bool), IS_FIRST)
CHOICE = ArraySpec("discrete", (1,), (9,))
KEY = jax.random.key(0)


class Adding(gymnasium.Env[np.ndarray, Any]):
    """Shows the sum of the actions of its episode."""

    observation_space = gymnasium.spaces.Box(0, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(9)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.sum, self.time = 0, 0
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.sum, self.time = self.sum + int(action), self.time + 1
        return np.array([self.sum], np.float32), float(REWARD[self.time]), self.time == 5, False, {}


class Sum(AbstractWorldModel[jax.Array]):
    """The same world as a model: s' = s + a, and while filtering, what the observation adds to that (nothing)."""

    def initial(self) -> jax.Array:
        return jnp.zeros(2)

    def encode(self, observation: dict[str, jax.Array]) -> jax.Array:
        return observation["observation"]

    def observe(self, state: jax.Array, action: jax.Array, encoded: jax.Array, *, key: Any) -> jax.Array:
        believed = state[0] + action @ jnp.arange(9.0)
        return jnp.stack([believed, encoded[0] - believed])

    def imagine(self, state: jax.Array, action: jax.Array, *, key: Any) -> jax.Array:
        return jnp.stack([state[0] + action @ jnp.arange(9.0), jnp.zeros(())])


@pytest.fixture(scope="module")
def vectors() -> jax.Array:
    return jax.vmap(lambda action: action_vector(CHOICE, action))(jnp.asarray(TABLE.action))


def test_collecting_writes_these_rows():
    """The action decided at the last row (here 7) is zeroed, leads nowhere, and the next row comes from a reset."""
    with Pool(Adding, count=1) as pool:
        replay = Replay(pool.spaces, {}, streams=1, length=7, capacity=100, seed=0)
        collector, decided = Collector(pool, replay), iter([1, 2, 4, 8, 3, 7, 1])

        def act(row: Step) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            return np.array([[next(decided)]], np.int32), {}

        for _ in range(7):
            collector.step(act)
        stored = replay.draw(0, 1, upto=7).sequence
    jax.tree.map(lambda ours, table: np.testing.assert_array_equal(ours[0], table), stored, TABLE)


def test_filter_takes_the_action_before_and_forgets_at_a_reset(vectors):
    """Row t of the filter's inputs: the action of row t - 1, the observation and the flag of row t."""
    previous = jnp.concatenate([vectors[-1:], vectors[:-1]])  # row 0 is a first one: whatever is given is forgotten
    before = jnp.full(2, 77.0)  # as is the state
    states = rollout.filter(Sum(), before, previous, jnp.asarray(SHOWN)[:, None], jnp.asarray(IS_FIRST), key=KEY)
    np.testing.assert_array_equal(states[:, 0], SHOWN)
    np.testing.assert_array_equal(states[:, 1], np.zeros(7))


def test_imagination_from_row_0_with_the_actions_of_rows_0_to_4_arrives_at_rows_1_to_5(vectors):
    states = rollout.rollout(Sum(), jnp.zeros(2), vectors[:5], key=KEY)
    np.testing.assert_array_equal(states[:, 0], SHOWN[1:6])


def test_returns_count_from_the_next_row():
    """gamma = lambda = 0.5 and v = 4 everywhere but at the end, where v must not count: that world is over.

    R_4 = 8;   R_3 = 0 + .5 (.5 4 + .5 8) = 3;   R_2 = 2 + .5 (2 + 1.5) = 3.75;   R_1 = .5 (2 + 1.875) = 1.9375;
    R_0 = 1 + .5 (2 + .96875)
    """
    rows = slice(1, 6)
    survival = jnp.asarray(0.5 * (1 - TERMINATED[rows].astype(np.float32)))
    value = jnp.array([4.0, 4.0, 4.0, 4.0, 100.0])
    returns = lambda_return(jnp.asarray(REWARD[rows]), survival, value, 0.5)
    np.testing.assert_array_equal(returns, [2.484375, 1.9375, 3.75, 3.0, 8.0])


def test_a_truncated_end_is_worth_its_value():
    """The same episode, cut instead of ended: R_4 = 8 + .5 4 = 10, R_3 = .5 (2 + 5) = 3.5."""
    returns = lambda_return(jnp.asarray(REWARD[1:6]), jnp.full(5, 0.5), jnp.full(5, 4.0), 0.5)
    np.testing.assert_array_equal(returns[3:], [3.5, 10.0])


def test_is_last():
    cut = TABLE._replace(truncated=np.array([0, 0, 0, 0, 0, 0, 1], bool))
    np.testing.assert_array_equal(TABLE.is_last, TERMINATED)
    np.testing.assert_array_equal(cut.is_last, [0, 0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize(
    ("spec", "width", "dtype"),
    [
        (ArraySpec("image", (4, 6, 3)), 72, "uint8"),
        (ArraySpec("vector", (5,)), 5, "float32"),
        (ArraySpec("discrete", (3,), (2, 3, 4)), 9, "int32"),
        (ArraySpec("continuous", (2,)), 2, "float32"),
    ],
)
def test_array_spec(spec, width, dtype):
    assert (spec.width, spec.dtype) == (width, dtype)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("picture", (4, 4, 3)), "'picture'"),
        (("image", (4, 4)), r"3 axes, got shape \(4, 4\)"),
        (("discrete", (2,)), r"classes \(\)"),
        (("discrete", (2,), (3,)), r"classes \(3,\)"),
        (("discrete", (0,), ()), r"shape \(0,\)"),
        (("vector", (2,), (3, 3)), r"classes \(3, 3\)"),
    ],
)
def test_impossible_specs(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        ArraySpec(*arguments)
