import re

import pytest

from reverie.behaviours.planner_config import CONFIGS, ICEMConfig, PlanningConfig, configured, model_calls, scaled
from reverie.errors import UserError


def test_defaults_are_the_papers() -> None:
    cem, icem, mppi = CONFIGS["cem"], CONFIGS["icem"], CONFIGS["mppi"]
    assert vars(cem) == {"candidates": 1000, "iterations": 10, "elites": 100, "std": 1.0}
    assert (PlanningConfig().horizon, PlanningConfig().discount) == (12, 1.0)
    assert (icem.elites, icem.std, icem.decay, icem.keep, icem.momentum) == (10, 0.5, 1.25, 0.3, 0.1)
    assert (mppi.candidates, mppi.iterations, mppi.elites) == (512, 6, 64)
    assert (mppi.temperature, mppi.std, mppi.min_std, mppi.momentum) == (0.5, 2.0, 0.05, 0.1)


def test_icem_has_ever_fewer_plans_but_twice_the_elites() -> None:
    assert ICEMConfig(candidates=200, iterations=3).counts == (200, 160, 128)
    assert ICEMConfig(candidates=30, iterations=4).counts == (30, 24, 20, 20)


def test_elites_follow_the_candidates() -> None:
    assert scaled(CONFIGS["cem"], 50).elites == 5
    assert scaled(CONFIGS["cem"], 2).elites == 2
    assert scaled(CONFIGS["mppi"], 1024).elites == 128
    assert scaled(CONFIGS["icem"], 1000).elites == 10
    assert scaled(CONFIGS["icem"], 8).elites == 4
    assert scaled(CONFIGS["gradient"], 3) == configured("gradient", candidates=3)[1]


def test_numbers_by_name_go_where_they_belong() -> None:
    how, own = configured("cem", horizon=5, candidates=50, std=0.3, value=True)
    assert (how.horizon, how.value, own.candidates, own.elites, own.std) == (5, True, 50, 5, 0.3)
    assert configured("cem", candidates=50, elites=20)[1].elites == 20


@pytest.mark.parametrize(
    ("planner", "numbers", "said"),
    [
        ("cm", {}, "there is no planner 'cm'; there are shooting, cem, icem, mppi, gradient"),
        ("cem", {"colour": 1.0}, "cem has no 'colour'; there are horizon, .* candidates"),
        ("cem", {"elites": 2000}, r"CEMConfig.elites must be from 1 to 1000, got 2000"),
        ("icem", {"candidates": 10, "elites": 10}, r"ICEMConfig.candidates must be at least 20, got 10"),
        ("mppi", {"min_std": 3.0}, r"MPPIConfig.min_std must be from 0 to 2, got 3"),
        ("shooting", {"candidates": 0}, r"ShootingConfig.candidates must be at least 1, got 0"),
        ("gradient", {"rate": float("nan")}, r"GradientConfig.rate must be at least 0, got nan"),
        ("cem", {"horizon": 0}, r"PlanningConfig.horizon must be at least 1, got 0"),
        ("cem", {"discount": 1.5}, r"PlanningConfig.discount must be from 0 to 1, got 1.5"),
    ],
)
def test_what_cannot_be_is_refused(planner, numbers, said) -> None:
    with pytest.raises(UserError) as refused:
        configured(planner, **numbers)
    assert re.search(said, str(refused.value))


def test_model_calls() -> None:
    how = PlanningConfig(horizon=3, proposals=2)
    assert model_calls(CONFIGS["cem"], PlanningConfig()) == 12 * 10 * 1000
    assert model_calls(configured("shooting", candidates=7)[1], how) == 3 * (7 + 2) + 3 * 2
