import pytest

from reverie.envs.config import EnvironmentConfig


@pytest.mark.parametrize("field", ["size", "repeat", "time_limit", "camera", "noops"])
def test_a_negative_number_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(ValueError, match=rf"EnvironmentConfig\.{field} must be 0 or more, got -1"):
        EnvironmentConfig(**{field: -1})


def test_sticky_is_a_chance() -> None:
    with pytest.raises(ValueError, match=r"sticky must be in \[0, 1\), got 1"):
        EnvironmentConfig(sticky=1.0)


def test_pictures_have_a_limit() -> None:
    with pytest.raises(ValueError, match="at most 1024"):
        EnvironmentConfig(size=2048)


def test_a_policy_is_one_of_three() -> None:
    with pytest.raises(
        ValueError, match=r"not_finite must be one of \('error', 'truncate', 'sanitise'\), got 'ignore'"
    ):
        EnvironmentConfig(not_finite="ignore")
