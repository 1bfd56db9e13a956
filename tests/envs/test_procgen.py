import importlib.util

import pytest
from envs.installed import assert_a_seed_decides

from reverie.envs.make import make
from reverie.envs.procgen import GAMES
from reverie.errors import UserError

installed = pytest.mark.skipif(
    importlib.util.find_spec("procgen") is None, reason="procgen is put there by hand: docs/environments.md"
)


@installed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it forgets to close a file
def test_a_seed_decides() -> None:
    assert_a_seed_decides("procgen/bigfish", steps=60)


@installed
def test_the_picture_of_the_end_is_not_of_the_next_level() -> None:
    environment = make("procgen/bigfish")
    rows = [environment.reset(0)]
    while not rows[-1].terminated:
        rows.append(environment.step(rows[-1].observation["observation"][:1, 0, 0].astype("int32") % 15))
    last, before = (row.observation["observation"] for row in (rows[-1], rows[-2]))
    assert (last == before).all()


@installed
def test_an_unknown_game_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="Nearest: procgen/coinrun"):
        make("procgen/coinruns")


def test_without_it_the_recipe_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"not installed: docs/environments.md says how") as caught:
        make("procgen/coinrun")
    assert (caught.value.code, len(GAMES)) == (78, 16)
