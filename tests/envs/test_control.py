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


@drawn
@pytest.mark.parametrize("name", ["cartpole-swingup", "cartpole-two_poles", "hopper-hop", "ball_in_cup-catch"])
def test_a_state_is_drawn(name: str) -> None:
    environment = make(f"dm_control/{name}", render=True)
    rows = play(environment, 1, 10)
    difference = environment.draw(rows[-1].observation).astype(int) - environment.render()
    assert np.abs(difference).mean() < (6 if name == "hopper-hop" else 0.5)  # how far it has run is not observed
    assert (environment.draw(rows[0].observation) != environment.draw(rows[-1].observation)).any()
    environment.close()


def test_what_an_observation_does_not_say_is_not_drawn() -> None:
    environment = make("dm_control/walker-walk")
    assert environment.draw(environment.reset(0).observation) is None


def test_the_numbers_of_a_cartpole_have_names() -> None:
    specs = make("dm_control/cartpole-swingup").spaces.observation
    assert all(len(spec.labels) == spec.shape[0] for spec in specs.values())


def test_a_mujoco_that_it_cannot_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: "4.0.0")
    with pytest.raises(UserError, match=r'fails with MuJoCo 4.0.0: pip install "mujoco>=3.17,<4"') as caught:
        make("dm_control/cartpole-swingup")
    assert caught.value.code == 78


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no environment 'dm_control/walker-wlak'\. Nearest: dm_control/walker-walk"):
        make("dm_control/walker-wlak")
