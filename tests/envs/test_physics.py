import os

import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs

from reverie.envs import physics
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError

pytestmark = needs("mujoco", "mujoco")
PIXELS = EnvironmentConfig(pixels=True, size=32)


def rendering() -> bool:
    try:
        physics.headless(render=True)
    except UserError:
        return False
    return True


drawn = pytest.mark.skipif(not rendering(), reason="neither EGL nor OSMesa is here to render with")


def test_a_seed_decides() -> None:
    assert_a_seed_decides("Hopper-v5")


@drawn
def test_a_seed_decides_pixels_too() -> None:
    assert_a_seed_decides("InvertedPendulum-v5", PIXELS, steps=4)


@drawn
def test_there_are_no_shadows_and_no_larger_pictures_than_needed() -> None:
    environment = make("Hopper-v5", PIXELS)
    assert environment.reset(0).observation["image"].shape == (32, 32, 3)
    simulator = environment._env.unwrapped
    assert (simulator.model.vis.quality.shadowsize, simulator.width) == (0, 32)
    environment.close()


@drawn
def test_a_state_is_drawn() -> None:
    environment = make("InvertedPendulum-v5", render=True)
    row = environment.reset(0)
    np.testing.assert_array_equal(environment.draw(row.observation), environment.render())
    environment.close()


@drawn
def test_what_an_observation_does_not_say_is_not_drawn() -> None:
    environment = make("Reacher-v5")
    assert environment.draw(environment.reset(0).observation) is None
    environment.close()


def test_nothing_to_render_with_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", physics.NOTHING)
    environment = make("InvertedPendulum-v5")
    assert environment.draw(environment.reset(0).observation) is None


def test_nothing_to_render_with_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    physics.headless(render=False)
    with pytest.raises(UserError, match=r"apt-get install .*libegl1") as caught:
        physics.headless(render=True)
    assert caught.value.code == 78


@pytest.mark.parametrize(("libraries", "backend"), [({"EGL", "OSMesa"}, "egl"), ({"OSMesa"}, "osmesa")])
def test_the_renderer_is_what_is_there(libraries: set[str], backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: name if name in libraries else None)
    physics.headless(render=True)
    assert os.environ["MUJOCO_GL"] == backend
