import gymnasium
import numpy as np
import pytest

import reverie.envs
from reverie.envs.toy import DELAY, GOOD_ARM, OPTIMAL, PUSH, PUSHES, RANDOM, STAY, WAIT, WORLDS

assert reverie.envs  # importing it is what registers the worlds


def play(name: str, policy, seed: int = 0) -> tuple[float, bool, int]:
    """Return, whether the world ended, and how many actions it took."""
    env = gymnasium.make(name)
    observation, _ = env.reset(seed=seed)
    first, total, steps = observation, 0.0, 0
    while True:
        observation, reward, terminated, truncated, _ = env.step(policy(first, observation, steps))
        assert env.observation_space.contains(observation)
        total, steps = total + float(reward), steps + 1
        if terminated or truncated:
            return total, terminated, steps


BEST = {
    "reverie/Bandit-v0": (lambda *_: GOOD_ARM, True, 1),
    "reverie/Delay-v0": (lambda *_: 1, True, DELAY),
    "reverie/End-v0": (lambda *_: 0, False, STAY),
    "reverie/Memory-v0": (lambda first, *_: int(first[0] > 0), True, WAIT + 1),
    "reverie/Point-v0": (lambda _, now, *__: np.clip(-now[:1] / PUSH, -1, 1), True, PUSHES),
}


@pytest.mark.parametrize("name", OPTIMAL)
def test_the_best_policy_gets_the_stated_return(name: str) -> None:
    policy, ends, steps = BEST[name]
    for seed in range(6):
        total, ended, taken = play(name, policy, seed)
        assert (ended, taken) == (ends, steps)
        np.testing.assert_allclose(total, OPTIMAL[name], rtol=1e-6)


@pytest.mark.parametrize("name", RANDOM)
def test_a_random_policy_gets_the_stated_return(name: str) -> None:
    actions = gymnasium.make(name).action_space
    actions.seed(0)
    returns = [play(name, lambda *_: actions.sample(), seed)[0] for seed in range(600)]
    error = np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - RANDOM[name]) < 4 * error


def test_leaving_pays_more_at_once_and_less_in_the_end() -> None:
    total, ended, steps = play("reverie/End-v0", lambda *_: 1)
    assert (total, ended, steps) == (1.0, True, 1)
    assert total < OPTIMAL["reverie/End-v0"]


def test_the_hasty_choice_pays_little() -> None:
    assert play("reverie/Delay-v0", lambda *_: 0)[0] == 0.2


def test_pushing_as_hard_as_possible_jumps_across() -> None:
    total, _, _ = play("reverie/Point-v0", lambda _, now, *__: -np.sign(now[:1]) if abs(now[0]) > 1e-6 else np.ones(1))
    np.testing.assert_allclose(total, 2.5, rtol=1e-6)


def test_memory_shows_its_cue_once() -> None:
    env = gymnasium.make("reverie/Memory-v0")
    cues = {env.reset(seed=seed)[0][0] for seed in range(10)}
    assert cues == {-1.0, 1.0}
    for step in range(WAIT):
        assert env.step(0)[0].tolist() == [0, float(step + 1 == WAIT)]


def test_every_world_is_listed() -> None:
    assert {f"reverie/{world}-v0" for world in WORLDS} == set(OPTIMAL) == set(RANDOM)
