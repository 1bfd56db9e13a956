import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs, play
from envs.test_physics import PIXELS, drawn

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError

pytestmark = needs("dm_control", "dmc")


@pytest.mark.parametrize("name", ["dm_control/cartpole-swingup", "dm_control/finger-turn_easy"])
def test_a_seed_decides_whatever_was_played_before(name: str) -> None:
    assert_a_seed_decides(name)


def test_proprioception_is_the_tasks_own_dictionary() -> None:
    environment = make("dm_control/walker-walk")
    specs = environment.spaces.observation
    assert {name: spec.shape for name, spec in specs.items()} == {
        "orientations": (14,),
        "height": (1,),
        "velocity": (9,),
    }
    assert (environment.spaces.action.kind, environment.spaces.action.shape) == ("continuous", (6,))
    assert (environment.repeat, environment.fps) == (1, 40)


def test_the_clock_cuts_and_does_not_end() -> None:
    environment = make("dm_control/cartpole-swingup")
    environment.reset(0)
    rows = [environment.step(np.zeros(1, np.float32)) for _ in range(1000)]
    assert [bool(row.truncated) for row in rows] == [False] * 999 + [True]
    assert not any(row.terminated for row in rows)
    rows = play(make("dm_control/cartpole-swingup", EnvironmentConfig(time_limit=6, repeat=2)), 0)
    assert (len(rows) - 1, rows[-1].truncated, rows[-1].terminated) == (3, True, False)


@drawn
def test_pixels() -> None:
    environment = make("dm_control/cartpole-swingup", PIXELS)
    image = environment.reset(0).observation["image"]
    assert (image.shape, image.std() > 10) == ((32, 32, 3), True)
    assert environment._env.unwrapped.suite.physics.model.vis.quality.shadowsize == 0
    environment.close()


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no environment 'dm_control/walker-wlak'\. Nearest: dm_control/walker-walk"):
        make("dm_control/walker-wlak")
