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
    assert vmc.options("VizdoomTakeCover-v1", EnvironmentConfig(), SMALL) == EnvironmentConfig(rows=200, repeat=1)
    assert vmc.options("VizdoomTakeCover-v1", EnvironmentConfig(repeat=4), SMALL).repeat == 4
    assert vmc.options("CarRacing-v3", EnvironmentConfig(), vmc.Config()) == EnvironmentConfig(rows=84)
    assert vmc.options("Any-v0", EnvironmentConfig(), SMALL) == EnvironmentConfig()


def test_a_run_is_as_long_as_its_stages() -> None:
    """In dreams nothing is played; in the world candidates are, and the mean of the search now and then."""
    assert vmc.default_steps(replace(SMALL, frames=500, repeat=4)) == 500
    world = vmc.Config(frames=500, generations=30, population=4, rollouts=2, evaluation=8, repeat=4)
    assert vmc.default_steps(world) == 4 * 500 + 1000 * (30 * 4 * 2 + 2 * 8)
    thrifty = replace(world, thrift=2)
    assert vmc.default_steps(thrifty) == 4 * 500 + 1000 * (30 * 4 * 1 + 2 * 4)
    assert vmc.default_steps(replace(thrifty, iterations=3)) == 3 * vmc.default_steps(thrifty)


def test_what_is_repeated() -> None:
    """The size's own number, in the world alone, unless it is said otherwise; Doom shows every tic anyhow."""
    nano = vmc.SIZES["nano"]
    assert vmc.options("CarRacing-v3", EnvironmentConfig(), nano) == EnvironmentConfig(rows=84, repeat=4)
    assert vmc.options("CarRacing-v3", EnvironmentConfig(repeat=2), nano).repeat == 2
    assert vmc.options("CarRacing-v3", EnvironmentConfig(), replace(nano, dream=True)).repeat == 0
    assert vmc.options("VizdoomTakeCover-v1", EnvironmentConfig(), nano).repeat == 1


def test_every_setting_belongs_to_one_stage() -> None:
    named = [name for names in vmc.STAGES.values() for name in names]
    assert sorted(named) == sorted(field.name for field in fields(vmc.Config))
