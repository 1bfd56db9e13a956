"""Worlds and agents with known answers: physics as the model, a world that lasts as long as its seed says."""

from typing import ClassVar

import equinox as eqx
import gymnasium
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.types import ArraySpec, Sequence, Spaces

CARTPOLE = Spaces(
    observation={
        "observation": ArraySpec("vector", (4,), labels=("position", "velocity", "angle", "angular velocity"))
    },
    action=ArraySpec("discrete", (1,), classes=(2,), labels=("left", "right")),
)


class Physics(AbstractWorldModel):
    """CartPole's own equations; the state is the observation, so its dream is the truth."""

    frozen: bool = False
    """Imagine that nothing ever moves: then the dream is the copy-last baseline."""

    def initial(self):
        return jnp.zeros(4)

    def encode(self, observation):
        return observation["observation"]

    def observe(self, state, action, encoded, *, key):
        return encoded

    def imagine(self, state, action, *, key):
        if self.frozen:
            return state
        _, velocity, angle, spin = state
        force = 10.0 * (action[1] - action[0])
        push = (force + 0.05 * spin**2 * jnp.sin(angle)) / 1.1
        twist = (9.8 * jnp.sin(angle) - jnp.cos(angle) * push) / (0.5 * (4 / 3 - 0.1 * jnp.cos(angle) ** 2 / 1.1))
        pull = push - 0.05 * twist * jnp.cos(angle) / 1.1
        return state + 0.02 * jnp.stack([velocity, pull, spin, twist])


class Balance(AbstractPolicy):
    """Pushes to where the pole falls; balances until the time limit."""

    def initial(self):
        return jnp.zeros((), jnp.int32)

    def act(self, carry, observation, is_first, *, key):
        x, velocity, angle, spin = observation["observation"]
        right = angle + 0.3 * spin + 0.03 * x + 0.05 * velocity > 0
        return right.astype(jnp.int32)[None], jnp.where(is_first, 0, carry) + 1


class Still(AbstractWorldModel):
    """Believes what it saw last."""

    def initial(self):
        return jnp.zeros(2)

    def encode(self, observation):
        return observation["observation"]

    def observe(self, state, action, encoded, *, key):
        return encoded

    def imagine(self, state, action, *, key):
        return state


class Never(AbstractPolicy):
    """Always takes the first choice; remembers nothing."""

    def initial(self):
        return ()

    def act(self, carry, observation, is_first, *, key):
        return jnp.zeros((1,), jnp.int32), carry


class Lasting(gymnasium.Env):
    """Lasts as many steps as its seed says, 1 to 30; an action's number is its reward, plus 1."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}
    observation_space = gymnasium.spaces.Box(-100, 100, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)

    def __init__(self, render_mode=None):
        self.render_mode = render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.length, self.time = int(self.np_random.integers(1, 31)), 0
        return self._see(), {}

    def step(self, action):
        self.time += 1
        return self._see(), 1.0 + action, self.time >= self.length, False, {}

    def render(self):
        return np.full((8, 12, 3), self.time, np.uint8)

    def _see(self):
        return np.array([self.time, self.length], np.float32)


class Dice(AbstractPolicy):
    """Random actions; remembers how many it took in this episode."""

    def initial(self):
        return jnp.zeros((), jnp.int32)

    def act(self, carry, observation, is_first, *, key):
        return jr.randint(key, (1,), 0, 3), jnp.where(is_first, 0, carry) + 1


@pytest.fixture
def balancer():
    """A perfect agent with a perfect dream of CartPole."""
    return Trained(CARTPOLE, Physics(), Balance(), {"decode": lambda state: {"observation": state}})


@pytest.fixture
def sceptic(balancer):
    """The same agent, whose dream stands still."""
    return eqx.tree_at(lambda trained: trained.model, balancer, Physics(frozen=True))


@pytest.fixture
def lasting():
    """The class of the world that lasts as long as its seed says."""
    return Lasting


@pytest.fixture
def gambler():
    """An agent without a model for `lasting`."""
    spaces = Spaces({"observation": ArraySpec("vector", (2,))}, ArraySpec("discrete", (1,), classes=(3,)))
    return Trained(spaces, Physics(), Dice(), {})


@pytest.fixture
def idler():
    """Waits in `reverie/Delay-v0`; its dream stands still."""
    vector = ArraySpec("vector", (2,), labels=("time", "choice"))
    action = ArraySpec("discrete", (1,), classes=(2,), labels=("now", "later"))
    decode = {"decode": lambda state: {"observation": state[:2]}}
    return Trained(Spaces({"observation": vector}, action), Still(), Never(), decode)


@pytest.fixture
def swinging():
    """An episode of 40 rows that follows CartPole's equations exactly: pushes right, then left, and so on."""
    model, state, rows = Physics(), jnp.array([0.0, 0.1, 0.02, -0.1]), []
    actions = np.arange(40) // 3 % 2
    for action in actions:
        rows.append(np.asarray(state))
        state = model.imagine(state, jnp.eye(2)[action], key=None)
    flags = np.zeros(40, bool)
    is_first, terminated = flags.copy(), flags.copy()
    is_first[0], terminated[-1] = True, True
    actions[-1] = 0
    return Sequence(
        {"observation": np.stack(rows)},
        actions[:, None].astype(np.int32),
        np.ones(40, np.float32) - is_first,
        terminated,
        flags,
        is_first,
    )
