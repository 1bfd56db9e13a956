from typing import Any

import numpy as np
import pytest
from envs.worlds import Counter, NotANumber, Shown
from gymnasium.spaces import Box, Discrete

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError


class Reward(Counter):
    """Pays whatever it is told to."""

    pays: Any = 0.0
    ends: Any = False

    def step(self, action: np.int64) -> tuple[Any, Any, Any, bool, dict[str, Any]]:
        observation, _, _, truncated, info = super().step(action)
        return observation, self.pays, self.ends, truncated, info


def paying(pays: Any, ends: Any = False) -> type[Reward]:
    return type("Reward", (Reward,), {"pays": pays, "ends": ends})


def test_rows_of_an_episode() -> None:
    environment = make(Counter)
    first, second = environment.reset(5), environment.step(np.array([2], np.int32))
    assert first.observation["observation"].tolist() == [5, 0, 0]
    assert (first.reward, first.is_first, first.terminated, first.truncated) == (0, True, False, False)
    assert second.observation["observation"].tolist() == [5, 1, 2]
    assert (second.reward, second.is_first) == (1, False)
    assert (second.reward.dtype, second.terminated.dtype) == (np.float32, np.bool_)


def test_what_is_not_a_number_is_named_with_its_place() -> None:
    environment = make(NotANumber)
    environment.reset(0)
    for _ in range(2):
        environment.step(np.array([0], np.int32))
    with pytest.raises(UserError, match=r"NotANumber, step 3 .*'observation' is not finite: \[nan\]") as caught:
        environment.step(np.array([0], np.int32))
    assert caught.value.code == 70


def rows(world: Any, policy: str, steps: int) -> tuple[list[list[float]], list[bool]]:
    """(clock, reward, terminated, truncated) of each row, and whether it had to be mended."""
    environment = make(world, EnvironmentConfig(not_finite=policy))
    played = [(environment.reset(5), environment.mended)]
    played += [(environment.step(np.array([0], np.int32)), environment.mended) for _ in range(steps)]
    shown = [[row.observation["observation"][1], *row[1:4]] for row, _ in played]
    return [[float(number) for number in row] for row in shown], [mended for _, mended in played]


def test_truncate_ends_the_episode_with_the_last_good_row() -> None:
    expected = [[0, 0, 0, 0], [1, 1, 0, 0], [2, 2, 0, 0], [2, 0, 0, 1]]
    assert rows(NotANumber, "truncate", 3) == (expected, [False, False, False, True])
    assert rows(paying(np.inf), "truncate", 1) == ([[0, 0, 0, 0], [0, 0, 0, 1]], [False, True])


def test_sanitise_puts_the_last_finite_value_in_its_place() -> None:
    expected = [[0, 0, 0, 0], [1, 1, 0, 0], [2, 2, 0, 0], [2, 3, 0, 0], [4, 4, 1, 0]]
    assert rows(NotANumber, "sanitise", 4) == (expected, [False, False, False, True, False])
    assert rows(paying(np.nan, ends=True), "sanitise", 1) == ([[0, 0, 0, 0], [1, 0, 1, 0]], [False, True])


class NeverBegins(Counter):
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        observation, info = super().reset(seed=seed)
        return observation + np.nan, info


def test_a_first_row_can_be_mended_but_not_cut() -> None:
    assert rows(NeverBegins, "sanitise", 0) == ([[0, 0, 0, 0]], [True])
    with pytest.raises(
        RuntimeError, match="an episode cannot end before its first row: observation 'observation' is not"
    ):
        rows(NeverBegins, "truncate", 0)


def test_the_refusal_names_the_policies() -> None:
    with pytest.raises(UserError, match=r"reward is not finite: nan\. Mend .*not_finite: truncate .*sanitise .*error"):
        rows(paying(np.nan), "error", 1)


@pytest.mark.parametrize("pays", [np.nan, np.inf, -np.inf, 1e300, None, "much", [1.0, 2.0]])
def test_no_odd_reward_passes(pays: Any) -> None:
    environment = make(paying(pays))
    environment.reset(0)
    with pytest.raises(UserError, match="step 1 of the episode: reward is"):
        environment.step(np.array([0], np.int32))


@pytest.mark.parametrize("pays", [1, True, np.float64(1), np.array(1.0), np.array([1.0])[0]])
def test_any_number_is_a_reward(pays: Any) -> None:
    environment = make(paying(pays))
    environment.reset(0)
    assert environment.step(np.array([0], np.int32)).reward == 1


@pytest.mark.parametrize("ends", [np.nan, 2, "no", None, [True]])
def test_an_end_is_true_or_false(ends: Any) -> None:
    environment = make(paying(0.0, ends))
    environment.reset(0)
    with pytest.raises(UserError, match=r"terminated is .* neither true nor false"):
        environment.step(np.array([0], np.int32))


def test_the_old_interface_is_refused() -> None:
    class Old(Counter):
        def reset(self, **_: Any) -> Any:
            return np.zeros(3)

    with pytest.raises(UserError, match=r"reset\(\) gave ndarray, not \(observation, info\)"):
        make(Old).reset(0)


def test_the_conversions_of_a_callers_own_loop() -> None:
    environment = make(lambda: Shown(Discrete(3, start=4), Box(-2, 2, (1,))))
    assert environment.observe(5)["observation"].tolist() == [1]
    assert environment.act(np.array([0.5], np.float32)).tolist() == [1]
    assert environment.action(np.array([1], np.float32)).tolist() == [0.5]


def test_a_world_labels_itself() -> None:
    labels = {"observation": ("seed", "time", "action"), "action": ("a", "b", "c")}
    spaces = make(type("Labelled", (Counter,), {"metadata": {"labels": labels}})).spaces
    assert spaces.observation["observation"].labels == ("seed", "time", "action")
    assert spaces.action.labels == ("a", "b", "c")


def test_no_picture_without_a_renderer() -> None:
    with pytest.raises(UserError, match="does not render a picture"):
        make(Counter).render()
    assert make(Counter).draw({"observation": np.zeros(3, np.float32)}) is None


@pytest.mark.parametrize(
    ("world", "config", "limit"),
    [
        ("CartPole-v1", EnvironmentConfig(), 500),
        ("CartPole-v1", EnvironmentConfig(repeat=3), 167),
        ("CartPole-v1", EnvironmentConfig(pixels=True, repeat=4, time_limit=90), 23),
        (Counter, EnvironmentConfig(), 0),
        (Counter, EnvironmentConfig(time_limit=7), 7),
    ],
)
def test_the_clock_is_known_in_actions(world: Any, config: EnvironmentConfig, limit: int) -> None:
    assert make(world, config, render=config.pixels).limit == limit


def test_an_action_and_back() -> None:
    pendulum = make("Pendulum-v1")
    assert pendulum.action_space == Box(-2.0, 2.0, (1,), np.float32)
    np.testing.assert_allclose(pendulum.taken(np.array([1.0], np.float32)), [0.5])
    np.testing.assert_allclose(pendulum.act(np.array([0.5], np.float32)), [1.0])
