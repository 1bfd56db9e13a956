import subprocess
import sys

import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs, play

from reverie.envs.config import EnvironmentConfig
from reverie.envs.crafting import OrderedSet
from reverie.envs.make import make
from reverie.errors import UserError

crafter = needs("crafter", "crafter")


def test_an_ordered_set_remembers_the_order() -> None:
    things = OrderedSet()
    for thing in "cabd":
        things.add(thing)
    things.remove("b")
    things.add("a")
    assert list(things) == ["c", "a", "d"]


@crafter
def test_a_seed_decides_whatever_was_played_before() -> None:
    assert_a_seed_decides("crafter/reward", steps=30)


@crafter
def test_a_seed_decides_in_another_process() -> None:
    code = (
        "import hashlib; from envs.installed import play; from reverie.envs.make import make\n"
        "rows = play(make('crafter/reward'), 3, 60)\n"
        "print(hashlib.sha256(b''.join(row.observation['observation'].tobytes() for row in rows)).hexdigest())"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    hashes = {
        subprocess.check_output([sys.executable, "-c", code], text=True, env=path | {"PYTHONHASHSEED": seed})
        for seed in "12"
    }
    assert len(hashes) == 1


@crafter
def test_the_clock_cuts_and_does_not_end() -> None:
    rows = play(make("crafter/reward", EnvironmentConfig(time_limit=5)), 0)
    assert (len(rows) - 1, rows[-1].truncated, rows[-1].terminated) == (5, True, False)


@crafter
def test_death_ends_the_world() -> None:
    environment = make("crafter/reward")
    environment.reset(0)
    game = environment._env.unwrapped.game
    game._player.health = 0
    row = environment.step(np.zeros(1, np.int32))
    assert (row.terminated, row.truncated) == (True, False)


@crafter
def test_without_reward_nothing_is_paid() -> None:
    assert {float(row.reward) for row in play(make("crafter/noreward"), 0, 40)} == {0.0}


@crafter
def test_there_are_two() -> None:
    with pytest.raises(UserError, match="There are crafter/reward and crafter/noreward"):
        make("crafter/rewards")
