"""Controllers that play side by side score what they score alone, whatever happens to those who play them."""

import os
import time
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from methods.staged import CONFIG, Blinking

from reverie.behaviours.controlled import ControlledPolicy
from reverie.behaviours.controller import obeyed_in
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.methods import vmc
from reverie.protocol import Trained
from reverie.run.players import PIECE, Players

COUNT = 3


class Fragile(Blinking):
    """Does to its process what a file says, as often as the file says."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        path = Path(os.environ["TROUBLE"])
        what, times = path.read_text().split()
        if int(times):
            path.write_text(f"{what} {int(times) - 1}")
            if what == "dies":
                os._exit(3)
            if what == "hangs":
                time.sleep(600)
            if what == "raises":
                raise RuntimeError("the gears are jammed")
        return super().reset(seed=seed, options=options)


def trained() -> Trained:
    world = make(Blinking)
    model = vmc.build(world.spaces, CONFIG, key=jr.key(0))
    policy = ControlledPolicy(model.world, model.controller, obeyed_in("", world.spaces.action))
    return Trained(world.spaces, model.world, policy, {})


def scores(players: Players, episodes: int = 4, stop: Any = lambda: False, made: list[int] | None = None) -> Any:
    size = trained().policy.controller.parameters.size
    parameters = np.random.default_rng(0).normal(size=(COUNT, size))
    count = ([] if made is None else made).append
    return players.scores(parameters, np.array([5, 6, 5]), episodes, seed=1, stop=stop, count=count)


@pytest.fixture
def trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TROUBLE", str(tmp_path / "trouble"))
    return tmp_path / "trouble"


def test_side_by_side_is_one_after_the_other() -> None:
    """And more episodes than are played at once are shared out, to the same mean."""
    answers, steps = [], []
    for count in (0, 2):
        with Players(trained(), Blinking, EnvironmentConfig(), count) as players:
            made: list[int] = []
            answers.append([scores(players, episodes, made=made) for episodes in (4, PIECE + 3)])
            steps.append(made)
    for alone, together in zip(*answers, strict=True):
        np.testing.assert_allclose(alone, together)
    assert steps[0] == steps[1] == [COUNT * 4 * Blinking.length, COUNT * (PIECE + 3) * Blinking.length]


def test_what_each_scores_is_its_own() -> None:
    """Of three choices the middle one pays, which is a number near 0; near 1 is another."""
    with Players(trained(), Blinking, EnvironmentConfig(), 0) as players:
        biases = np.zeros((2, trained().policy.controller.parameters.size))
        biases[1, 0] = 9.0
        found = players.scores(biases, np.array([0, 0]), 3, seed=0, stop=lambda: False, count=lambda _: None)
    assert found is not None
    assert found.tolist() == [5, 0]


@pytest.mark.parametrize("what", ["dies", "hangs", "raises"])
def test_one_that_fails_is_replaced(what: str, trouble: Path) -> None:
    """It plays again with the same dice, unless the world itself raised."""
    with Players(trained(), Blinking, EnvironmentConfig(), 0) as players:
        expected = scores(players)
    trouble.write_text(f"{what} 1")
    with Players(trained(), Fragile, EnvironmentConfig(), 1, deadline=20.0) as players:
        found = scores(players)
    assert trouble.read_text() == f"{what} 0"
    assert found.shape == expected.shape
    if what != "raises":
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(("what", "words"), [("dies", "exit code 3"), ("raises", "the gears are jammed")])
def test_what_goes_on_failing_ends_the_run(what: str, words: str, trouble: Path) -> None:
    trouble.write_text(f"{what} 1000")
    told = pytest.raises(UserError, match=rf"(?s)Fragile failed 3 times on end.*{words}")
    with Players(trained(), Fragile, EnvironmentConfig(), 1) as players, told as caught:
        scores(players)
    assert caught.value.code == 70


@pytest.mark.parametrize("count", [0, 1])
def test_a_signal_ends_them(count: int, trouble: Path) -> None:
    trouble.write_text("hangs 0")
    asked = iter([False] * 3 + [True] * 10**6)
    with Players(trained(), Fragile, EnvironmentConfig(), count) as players:
        assert scores(players, stop=lambda: next(asked)) is None
