import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.envs.planes import GAMES
from reverie.errors import UserError

minatar = needs("minatar", "minatar")


@minatar
@pytest.mark.parametrize("game", GAMES)
def test_planes_are_kept_as_they_are(game: str) -> None:
    environment = make(f"MinAtar/{game}", EnvironmentConfig(size=8))
    spec = environment.spaces.observation["observation"]
    assert (spec.kind, spec.shape[:2]) == ("image", (10, 10))
    assert set(np.unique(environment.reset(0).observation["observation"])) == {0, 255}


@minatar
def test_actions_are_the_games_own_or_all() -> None:
    assert make("MinAtar/Breakout").spaces.action.labels == ("noop", "left", "right")
    assert make("MinAtar/Breakout-v1").spaces.action.classes == (3,)
    assert make("MinAtar/Breakout-v0").spaces.action.classes == (6,)


@minatar
@pytest.mark.parametrize("game", ["Breakout", "Asterix"])
def test_a_seed_decides_though_an_action_may_stick(game: str) -> None:
    assert_a_seed_decides(f"MinAtar/{game}", steps=60)


@minatar
def test_a_board_is_rendered() -> None:
    environment = make("MinAtar/Freeway", render=True)
    environment.reset(0)
    assert environment.render().shape == (240, 240, 3)


@minatar
def test_an_unknown_game_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Nearest: MinAtar/Breakout"):
        make("MinAtar/Brakeout")


def test_games_have_names_in_both_tongues() -> None:
    assert {name.lower() for name in GAMES} == {name.replace("_", "") for name in GAMES.values()}
