"""Whose hands act."""

from collections import Counter

import jax.random as jr
import numpy as np
import pytest

from reverie.errors import UserError
from reverie.studio.player import CHANCE, Player
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session
from reverie.studio.timeline import Moment


@pytest.fixture
def now(cartpole: Scenery) -> Moment:
    return Session(cartpole, lambda _: None).timeline[0]


def test_what_was_tapped_counts_once(cartpole: Scenery, now: Moment) -> None:
    player, key = Player(cartpole), jr.key(0)
    player.become("person")
    player.hold(["0.1"])
    player.hold([])
    assert player.choice(now, key) == [1]
    assert player.choice(now, key) is None
    player.hold(["0.0"])
    assert [player.choice(now, key).tolist() for _ in range(2)] == [[0], [0]]


def test_chance_keeps_to_what_it_did(cartpole: Scenery, now: Moment) -> None:
    """It draws anew every so often, and then half of the draws are what was done before."""
    player = Player(cartpole)
    player.become("random")
    session = Session(cartpole, lambda _: None)
    done = session.timeline.add(0, "dream", np.array([1], np.int32), now.state, now.numbers)
    drawn = Counter(int(player.choice(done, jr.key(seed))[0]) for seed in range(400))
    assert drawn[0] / 400 == pytest.approx(CHANCE / 2, abs=0.04)
    first = Counter(int(player.choice(now, jr.key(seed))[0]) for seed in range(100))
    assert min(first.values()) > 25


def test_only_who_can_may_play(doom: Scenery, cartpole: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(cartpole)
    monkeypatch.setattr(cartpole.mind, "has_agent", False)
    monkeypatch.setattr(cartpole.mind, "has_planner", False)
    for who, why in (("agent", "does not act"), ("both", "does not act"), ("planner", "nothing to plan for")):
        with pytest.raises(UserError, match=why):
            player.become(who)
    assert Player(cartpole).who == "person"
    assert Player(doom).who == "both"
