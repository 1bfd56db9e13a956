"""Candidates play episodes of their own, and another try where the environment raises."""

from typing import Any

import jax.numpy as jnp
import pytest
from envs.worlds import LENGTH, Counter, RaisesAlways

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.evaluate.returns import Returns
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.run import playing

SUM = LENGTH * (LENGTH + 1) / 2
"""What an episode pays."""


class Idle(AbstractPolicy[Any]):
    def initial(self) -> Any:
        return ()

    def act(self, carry: Any, observation: Any, is_first: Any, *, key: Any) -> Any:
        return jnp.zeros((1,), jnp.int32), carry


class Nothing(AbstractWorldModel[Any]):
    """No model is asked."""

    def initial(self) -> Any:
        return ()

    def encode(self, observation: Any) -> Any:
        raise NotImplementedError

    def observe(self, state: Any, action: Any, encoded: Any, *, key: Any) -> Any:
        raise NotImplementedError

    def imagine(self, state: Any, action: Any, *, key: Any) -> Any:
        raise NotImplementedError


class Jammed(Counter):
    """Raises at some steps of all that are made in this process."""

    made, at = 0, range(0)

    def trouble(self) -> None:
        type(self).made += 1
        if self.made in self.at:
            raise RuntimeError("the gears are jammed")


def played(world: Any, dice: tuple[int, int] = (0, 0)) -> Returns:
    trained = Trained(make(Counter).spaces, Nothing(), Idle(), {})
    return playing.play(trained, world, EnvironmentConfig(), episodes=3, dice=dice, stop=lambda: False)


def test_whole_episodes() -> None:
    assert played(Counter).returns == (SUM,) * 3


def test_one_that_raises_is_opened_anew() -> None:
    Jammed.made, Jammed.at = 0, range(5, 6)
    assert played(Jammed).returns == (SUM,) * 3
    assert Jammed.made == 5 + 3 * LENGTH


@pytest.mark.parametrize("at", [range(1, 4), range(1, 10**6)])
def test_one_that_goes_on_raising_is_told_with_its_own_traceback(at: range) -> None:
    Jammed.made, Jammed.at = 0, at
    with pytest.raises(UserError, match=r"(?s)Jammed failed 3 times on end.*the gears are jammed") as caught:
        played(Jammed)
    assert caught.value.code == 70
    assert Jammed.made == 3
    with pytest.raises(UserError, match="RaisesAlways failed 3 times"):
        played(RaisesAlways)


def test_the_episodes_are_a_function_of_the_dice_and_no_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    whole = playing.evaluate

    def noting(*given: Any, seed: int, **named: Any) -> Returns:
        seeds.append(seed)
        return whole(*given, seed=seed, **named)

    monkeypatch.setattr(playing, "evaluate", noting)
    for dice in ((0, 0), (0, 0), (0, 1), (1, 0)):
        played(Counter, dice)
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) == 3
    assert min(seeds) > 1000, "small numbers are what people evaluate with"
