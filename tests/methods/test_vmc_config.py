"""Settings of World Models: which cannot be, and what follows from the others."""

from dataclasses import fields, replace

import pytest

from reverie.envs.config import EnvironmentConfig
from reverie.methods import vmc_config as vmc

SMALL = vmc.Config(dream=True, frames=100)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="population must be even"):
        vmc.Config(population=5)
    for setting in ("temperature", "sigma"):
        with pytest.raises(ValueError, match="temperature and sigma above 0"):
            replace(vmc.Config(), **{setting: 0.0})
    with pytest.raises(ValueError, match=r"Config.frames must be .* 1"):
        vmc.Config(frames=0)


def test_the_papers_view_of_its_two_worlds() -> None:
    assert vmc.options("VizdoomTakeCover-v1", EnvironmentConfig()) == EnvironmentConfig(rows=200, repeat=1)
    assert vmc.options("VizdoomTakeCover-v1", EnvironmentConfig(repeat=4)).repeat == 4
    assert vmc.options("CarRacing-v3", EnvironmentConfig()) == EnvironmentConfig(rows=84)
    assert vmc.options("Any-v0", EnvironmentConfig()) == EnvironmentConfig()


def test_a_run_is_as_long_as_its_stages() -> None:
    assert vmc.default_steps(replace(SMALL, frames=500)) == 500
    world = vmc.Config(frames=500, generations=3, population=4, rollouts=2)
    assert vmc.default_steps(world) == 500 + 3 * 4 * 2 * 1000


def test_every_setting_belongs_to_one_stage() -> None:
    named = [name for names in vmc.STAGES.values() for name in names]
    assert sorted(named) == sorted(field.name for field in fields(vmc.Config))
