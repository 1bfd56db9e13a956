import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs, play

from reverie.envs.config import EnvironmentConfig
from reverie.envs.leaves import GRAY, resize
from reverie.envs.make import make
from reverie.errors import UserError

pytestmark = needs("ale_py", "atari")


def test_the_protocol_of_100k() -> None:
    environment = make("ALE/Breakout-v5")
    spec = environment.spaces.observation["observation"]
    assert (spec.shape, environment.repeat, environment.fps) == ((64, 64, 3), 4, 15)
    assert environment.spaces.action.labels == ("noop", "fire", "right", "left")
    environment.close()


def test_the_protocol_of_200m() -> None:
    environment = make("ALE/Breakout-v5", EnvironmentConfig(size=96, grayscale=True, sticky=0.25, full_actions=True))
    assert environment.spaces.observation["observation"].shape == (96, 96, 1)
    assert environment.spaces.action.classes == (18,)
    environment.close()


@pytest.mark.parametrize("config", [EnvironmentConfig(), EnvironmentConfig(sticky=0.5)], ids=["plain", "sticky"])
def test_a_seed_decides(config: EnvironmentConfig) -> None:
    assert_a_seed_decides("ALE/Pong-v5", config)


def test_a_step_is_four_frames_and_shows_the_brighter_of_the_last_two() -> None:
    import ale_py
    import gymnasium

    environment = make("ALE/Pong-v5", EnvironmentConfig(noops=0))
    raw = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0)
    assert ale_py
    environment.reset(0)
    raw.reset(seed=0)
    for action in [2, 3, 2, 2, 3]:
        row = environment.step(np.array([action], np.int32))
        frames = [raw.step(action) for _ in range(4)]
        screen = np.maximum(frames[2][0], frames[3][0])
        np.testing.assert_array_equal(row.observation["observation"], resize(screen, 64))
        assert row.reward == sum(float(frame[1]) for frame in frames)
    environment.close()
    raw.close()


def test_gray_comes_after_resizing() -> None:
    colour, gray = make("ALE/Pong-v5"), make("ALE/Pong-v5", EnvironmentConfig(grayscale=True))
    picture = colour.reset(5).observation["observation"]
    expected = np.rint(picture @ GRAY).astype(np.uint8)[..., None]
    np.testing.assert_array_equal(gray.reset(5).observation["observation"], expected)


def test_idle_frames_vary_with_the_seed() -> None:
    environment = make("ALE/Pong-v5", EnvironmentConfig(noops=30))
    game = environment._env.unwrapped
    frames = {game.ale.getEpisodeFrameNumber() for seed in range(7) if environment.reset(seed)}
    assert len(frames) > 2
    assert max(frames) - min(frames) <= 30
    environment.close()


def test_running_out_of_frames_ends_the_world() -> None:
    rows = play(make("ALE/Pong-v5", EnvironmentConfig(time_limit=22)), 0)
    assert len(rows) - 1 == 6
    assert (rows[-1].terminated, rows[-1].truncated) == (True, False)


def test_losing_a_life_ends_nothing() -> None:
    environment = make("ALE/Breakout-v5", EnvironmentConfig(noops=0))
    environment.reset(0)
    game = environment._env.unwrapped
    lives = game.ale.lives()
    while game.ale.lives() == lives:
        row = environment.step(np.array([1], np.int32))
    assert not row.terminated
    environment.close()


def test_an_unknown_game_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Nearest: ALE/Breakout-v5"):
        make("ALE/Brekout-v5")
