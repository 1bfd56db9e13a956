import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from envs.worlds import Counter, Shown
from gymnasium.spaces import Discrete

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make, name_of
from reverie.errors import UserError


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Taxi-v4", "Blackjack-v1", "reverie/Memory-v0"])
def test_a_known_name_is_made_and_keeps_its_word(name: str) -> None:
    environment = make(name)
    row = environment.reset(0)
    for _ in range(3):
        spec = environment.spaces.action
        assert {key: (array.shape, str(array.dtype)) for key, array in row.observation.items()} == {
            key: (spec.shape, spec.dtype) for key, spec in environment.spaces.observation.items()
        }
        row = environment.step(np.zeros(spec.shape, spec.dtype))
    environment.close()


def test_the_same_seed_gives_the_same_episode() -> None:
    def episode(seed: int) -> list[float]:
        environment = make("CartPole-v1")
        rows = [environment.reset(seed)] + [environment.step(np.array([n % 2], np.int32)) for n in range(5)]
        return [float(row.observation["observation"].sum()) for row in rows]

    assert episode(3) == episode(3) != episode(4)


@pytest.mark.parametrize("name", ["CartPole-v9", "cartpole-v1", "Cartpol-v1"])
def test_an_unknown_name_is_answered_with_the_nearest(name: str) -> None:
    with pytest.raises(UserError, match=rf"no environment '{name}'. Nearest: CartPole-v1") as caught:
        make(name)
    assert caught.value.code == 2


def test_a_suite_that_is_missing_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'needs atari, which is not installed: pip install "\.\[atari\]"') as caught:
        make("ALE/Breakout-v5")
    assert caught.value.code == 78


def test_your_own_by_name() -> None:
    assert make("envs.worlds:Counter").reset(7).observation["observation"].tolist() == [7, 0, 0]
    assert make("reverie.envs.toy:reverie/Bandit-v0").spaces.action.classes == (4,)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:World", "no module 'no_such_module'"),
        ("envs.worlds:World", "'envs.worlds' has no class or function 'World'"),
        ("envs.worlds:Shown", r"worlds:Shown needs arguments: \(observation"),
        ("json:JSONDecoder", "lacks reset, step, observation_space, action_space"),
    ],
)
def test_your_own_with_a_mistake(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(name)


def test_a_module_in_the_folder_where_one_stands(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from gymnasium.envs.classic_control import PendulumEnv as Mine\n")
    code = "from reverie.envs.make import make; print(make('mine:Mine').spaces.action.kind)"
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "continuous"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import something_else_entirely", "needs 'something_else_entirely', which is not installed"),
        ("def", r"(?s)could not be made, for a reason of its own:.*broken_0.py.*SyntaxError"),
        ("1 / 0", r"(?s)could not be made, for a reason of its own:.*ZeroDivisionError"),
    ],
)
def test_a_module_that_fails_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str, request: pytest.FixtureRequest
) -> None:
    name = f"broken_{len(request.node.name)}"
    (tmp_path / f"{name}.py").write_text(f"{code}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(UserError, match=message.replace("broken_0", name)):
        make(f"{name}:World")


@pytest.mark.parametrize("name", [":World", "worlds:"])
def test_half_a_name_is_none(name: str) -> None:
    with pytest.raises(UserError, match="write module:Class"):
        make(name)


def test_repeat_and_time_limit_count_simulator_steps() -> None:
    environment = make("CartPole-v1", EnvironmentConfig(repeat=2, time_limit=3))
    environment.reset(0)
    first, second = (environment.step(np.array([0], np.int32)) for _ in range(2))
    assert environment.repeat == 2
    assert (first.reward, first.truncated) == (2, False)
    assert (second.reward, second.truncated, second.terminated) == (1, True, False)


def test_pixels_instead_of_the_state() -> None:
    environment = make("CartPole-v1", EnvironmentConfig(pixels=True, size=32))
    image = environment.reset(0).observation["image"]
    assert (list(environment.spaces.observation), image.shape, image.dtype) == (["image"], (32, 32, 3), np.uint8)
    assert image.std() > 5
    environment.close()


def test_rendering_is_asked_for() -> None:
    environment = make("CartPole-v1", render=True)
    environment.reset(0)
    assert environment.render().shape == (400, 600, 3)
    environment.close()


def test_names_of_factories() -> None:
    assert name_of(Counter) == "envs.worlds:Counter"
    assert name_of(functools.partial(Shown, Discrete(2))) == "envs.worlds:Shown"
    assert name_of("CartPole-v1") == "CartPole-v1"
