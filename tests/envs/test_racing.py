from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pygame
import pytest
from envs.installed import needs, play

from reverie.envs.boxes import build
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.envs.racing import Painter

pytestmark = needs("Box2D", "box2d")
NAME = "CarRacing-v3"
SLOWLY_AHEAD = np.array([0, 0.3, 0], np.float32)
"""Leaves the field after some 310 steps; with full gas the car spins."""


def stock() -> gymnasium.Env[Any, Any]:
    return gymnasium.make(NAME, render_mode="rgb_array", disable_env_checker=True)


def drawn(config: EnvironmentConfig) -> gymnasium.Env[Any, Any]:
    return build(NAME, config, True).env


def repeated(env: gymnasium.Env[Any, Any], action: np.ndarray, times: int) -> tuple[Any, ...]:
    total = 0.0
    for _ in range(times):
        observation, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        if terminated or truncated:
            break
    return observation, total, terminated, truncated, info


@pytest.mark.parametrize("seed", [1, 2])
def test_random_play_looks_as_in_gymnasium(seed: int) -> None:
    theirs, ours = stock(), drawn(EnvironmentConfig())
    np.testing.assert_equal(ours.reset(seed=seed), theirs.reset(seed=seed))
    rng = np.random.default_rng(seed)
    for step in range(150):
        action = rng.uniform([-1, 0, 0], [1, 1, 0.5]).astype(np.float32)
        np.testing.assert_equal(ours.step(action), theirs.step(action))
        if step % 10 == 0:
            np.testing.assert_equal(ours.render(), theirs.render())


def test_a_repeated_action_looks_as_in_gymnasium_until_the_car_is_off_the_field() -> None:
    theirs, ours = stock(), drawn(EnvironmentConfig(repeat=4))
    np.testing.assert_equal(ours.reset(seed=3), theirs.reset(seed=3))
    steps, ended = 0, False
    while not ended:
        answer = ours.step(SLOWLY_AHEAD)
        np.testing.assert_equal(answer, repeated(theirs, SLOWLY_AHEAD, 4))
        steps, ended = steps + 1, answer[2] or answer[3]
    assert theirs.get_wrapper_attr("_elapsed_steps") % 4, "the end should come within a repetition"
    assert answer[2]
    assert steps > 60


def test_what_is_rendered_is_observed_with_pixels() -> None:
    theirs, ours = stock(), drawn(EnvironmentConfig(pixels=True, size=0))
    theirs.reset(seed=4)
    np.testing.assert_equal(ours.reset(seed=4)[0]["image"], theirs.render())
    for _ in range(10):
        theirs.step(SLOWLY_AHEAD)
        np.testing.assert_equal(ours.step(SLOWLY_AHEAD)[0]["image"], theirs.render())


@pytest.mark.parametrize("pixels", [False, True])
def test_one_picture_is_drawn_for_a_row(pixels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    drawings: list[None] = []
    draw: Callable[..., np.ndarray] = Painter._draw
    monkeypatch.setattr(Painter, "_draw", lambda *given, **named: drawings.append(None) or draw(*given, **named))
    world = make(NAME, EnvironmentConfig(pixels=pixels, repeat=3))
    drawings.clear()
    rows = play(world, seed=5, steps=4)
    assert len(drawings) == len(rows) == 5


def test_another_environment_may_shut_pygame_down() -> None:
    world, twin = make(NAME), make(NAME)
    world.reset(0)
    pygame.quit()
    np.testing.assert_equal(play(world, seed=6), play(twin, seed=6))
