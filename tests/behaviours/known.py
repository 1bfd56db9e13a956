"""Worlds whose best plan is known: two of `envs.toy` and a linear-quadratic one as models, and brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from reverie.envs.toy import DELAY, Toy
from reverie.protocol import AbstractWorldModel
from reverie.types import ArraySpec

NUMBER = ArraySpec("continuous", (1,))
CHOICE = ArraySpec("discrete", (1,), (2,))
TWO = ArraySpec("discrete", (2,), (2, 3))

A = np.array([[1.0, 0.3], [0.0, 0.9]], np.float32)
B = np.array([[0.0], [0.3]], np.float32)
EFFORT = 0.05
BEGIN = np.array([0.4, -0.2], np.float32)


class Linear(AbstractWorldModel):
    """x' = A x + B u; the state is (x, u), so that its reward, -|x'|^2 - EFFORT u^2, is a head on it."""

    def initial(self):
        return jnp.zeros(3)

    def encode(self, observation):
        return observation["x"]

    def observe(self, state, action, encoded, *, key):
        return jnp.concatenate([encoded, action])

    def imagine(self, state, action, *, key):
        return jnp.concatenate([jnp.asarray(A) @ state[:2] + jnp.asarray(B) @ action, action])


def linear_reward(state):
    return -jnp.sum(state[:2] ** 2) - EFFORT * state[2] ** 2


def riccati(begin: np.ndarray, horizon: int) -> np.ndarray:
    """The plan [horizon, 1] that is worth most: backwards over the value -x' P x, and forwards again."""
    value, gains = np.zeros((2, 2)), []
    for _ in range(horizon):
        ahead = np.eye(2) + value
        gains.append(np.linalg.solve(EFFORT + B.T @ ahead @ B, B.T @ ahead @ A))
        value = A.T @ ahead @ (A - B @ gains[-1])
    plan, x = [], begin.astype(np.float64)
    for gain in reversed(gains):
        plan.append(-gain @ x)
        x = A @ x + B @ plan[-1]
    return np.stack(plan).astype(np.float32)


class Later(AbstractWorldModel):
    """`reverie/Delay-v0`: (time, choice, reward). The first choice pays 0.2 at once, or 1 at the end."""

    def initial(self):
        return jnp.zeros(3)

    def encode(self, observation):
        return jnp.zeros(1)

    def observe(self, state, action, encoded, *, key):
        return self.initial()

    def imagine(self, state, action, *, key):
        time, choice = state[0] + 1, jnp.where(state[0] == 0, action[1] - action[0], state[1])
        now = 0.2 * jnp.where(time == 1, action[0], 0.0)
        return jnp.stack([time, choice, now + jnp.where(time == DELAY, jax.nn.relu(choice), 0.0)])


class Leaving(AbstractWorldModel):
    """`reverie/End-v0` without its clock, and dreaming on beyond the end: (reward, gone), and leaving pays always."""

    def initial(self):
        return jnp.zeros(2)

    def encode(self, observation):
        return jnp.zeros(1)

    def observe(self, state, action, encoded, *, key):
        return self.initial()

    def imagine(self, state, action, *, key):
        return jnp.stack([0.1 * action[0] + action[1], jnp.maximum(state[1], action[1])])


LATER = {"reward": lambda state: state[2]}
LEAVING = {"reward": lambda state: state[0], "continue": lambda state: 1 - state[1]}


def choices(*actions: int) -> jax.Array:
    """A plan of `CHOICE`."""
    return jnp.eye(2)[jnp.array(actions)]


def played(world: str, plan: jax.Array) -> float:
    """What a plan returns in the toy itself."""
    toy, total = Toy(world), 0.0
    toy.reset(seed=0)
    for row in np.asarray(plan):
        _, reward, terminated, truncated, _ = toy.step(int(row.argmax()))
        total += reward
        if terminated or truncated:
            break
    return total


def best_of_all(score, horizon: int) -> float:
    """By trying every plan of `CHOICE`."""
    every = jnp.stack([choices(*actions) for actions in itertools.product(range(2), repeat=horizon)])
    return float(jax.vmap(lambda plan: score(plan, jax.random.key(0)))(every).max())
