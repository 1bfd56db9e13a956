"""The agent: native observations in, native actions out, stateful, batched. Its policy here only counts."""

from pathlib import Path
from typing import Any

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from jaxtyping import Array

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.run.agent import Agent


class Counting(AbstractPolicy[Any]):
    """Its action is the number of steps since the episode began, plus the first number that it sees, in a circle."""

    choices: int

    def initial(self) -> Array:
        return jnp.zeros((), jnp.int32)

    def act(self, carry: Any, observation: dict[str, Any], is_first: Any, *, key: Any) -> tuple[Array, Array]:
        count = jnp.where(is_first, 0, carry)
        seen = observation["x"][0].astype(jnp.int32) if "x" in observation else 0
        return ((count + seen) % self.choices)[None].astype(jnp.int32), count + 1


class Blind(AbstractWorldModel[Any]):
    """A world model that nobody asks."""

    def initial(self) -> Any:
        return jnp.zeros(1)

    def encode(self, observation: Any) -> Any:
        return jnp.zeros(1)

    def observe(self, state: Any, action: Any, encoded: Any, *, key: Any) -> Any:
        return state

    def imagine(self, state: Any, action: Any, *, key: Any) -> Any:
        return state


class World(gymnasium.Env[Any, Any]):
    """Shows a number in a dict, beside a pair."""

    observation_space = Dict(x=Box(-10, 10, (1,)), pair=Tuple((Discrete(3, start=5), Discrete(2))))
    action_space = Discrete(7, start=2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.clock = 0
        return self.show(), {}

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.clock += 1
        return self.show(), float(action == 2 + self.clock - 1), False, self.clock == 4, {}

    def show(self) -> Any:
        return {"x": np.zeros(1, np.float32), "pair": (np.int64(6), np.int64(0))}


def agent(environment: Any = World, options: EnvironmentConfig | None = None) -> Agent:
    options = options or EnvironmentConfig()
    conversions = make(environment, options)
    trained = Trained(conversions.spaces, Blind(), Counting(conversions.spaces.action.classes[0]), {})
    return Agent(Path("run"), trained, environment, options, conversions)


def test_an_episode_is_remembered_until_reset() -> None:
    player, world = agent(), World()
    observation, _ = world.reset()
    for _ in range(2):
        player.reset()
        actions = [player.act(observation) for _ in range(9)]
        assert actions == [2, 3, 4, 5, 6, 7, 8, 2, 3]
        assert all(world.action_space.contains(action) for action in actions)


def test_three_lines_in_any_gymnasium_loop() -> None:
    player, world, total = agent(), World(), 0.0
    observation, _ = world.reset(seed=0)
    player.reset()
    over = False
    while not over:
        observation, reward, terminated, truncated, _ = world.step(player.act(observation))
        over, total = terminated or truncated, total + reward
    assert total == 4


def test_a_batch_is_what_a_vector_environment_takes_and_gives() -> None:
    worlds = gymnasium.vector.SyncVectorEnv([World, World, World])
    observation, _ = worlds.reset(seed=0)
    player = agent()
    player.reset(batch=3)
    observation["x"][1] = 3
    actions = player.act(observation)
    assert actions.tolist() == [2, 5, 2]
    assert worlds.action_space.contains(actions)
    worlds.step(actions)
    assert player.act(observation).tolist() == [3, 6, 3]
    assert player.act(observation, is_first=[False, False, True]).tolist() == [4, 7, 2]
    worlds.close()


def test_the_same_seed_acts_alike() -> None:
    player, world = agent(), World()
    observation, _ = world.reset()
    first = player.act(observation)
    player.reset(seed=0)
    assert player.act(observation) == first


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        agent().reset(batch=0)


def test_another_number_of_observations_than_environments_is_refused() -> None:
    three = agent()
    three.reset(batch=3)
    with pytest.raises(ValueError, match=r"2 observations came; after reset\(batch=3\) it needs 3"):
        three.act(np.zeros((2, 4), np.float32))


def test_pixels_may_be_shown_bare() -> None:
    player = agent("CartPole-v1", EnvironmentConfig(pixels=True, size=16))
    picture = np.zeros((400, 600, 3), np.uint8)
    assert player.act(picture) == 0
    assert player._picture(picture)["image"].shape == (16, 16, 3)
    assert player._picture({"image": 1}) == {"image": 1}


def test_evaluation_leaves_the_memory_alone() -> None:
    player, world = agent(), World()
    observation, _ = world.reset()
    player.act(observation)
    result = player.evaluate(episodes=3, seed=1)
    assert result.returns == (4.0, 4.0, 4.0)
    assert player.act(observation) == 3
    assert player.repeat == 1
