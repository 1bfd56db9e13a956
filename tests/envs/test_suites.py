import importlib.util

import gymnasium
import pytest

from reverie.envs.suites import SUITES, Suite, suite_of


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_suite_owns_its_examples_alone(suite: Suite) -> None:
    for example in suite.examples:
        assert [other.name for other in SUITES if other.owns(example)] == [suite.name]
        assert suite_of(example) is suite


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_a_suite_with_a_module_has_it(suite: Suite) -> None:
    assert not suite.module or importlib.util.find_spec(f"reverie.envs.{suite.module}")


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)
def test_the_remedy_is_an_extra_that_exists(suite: Suite) -> None:
    if suite.extra:
        assert f'pip install ".[{suite.extra}]"' == suite.remedy


def test_gymnasiums_own_are_known_by_any_version() -> None:
    assert suite_of("CartPole-v0") is suite_of("CartPole-v1")
    assert suite_of("phys2d/CartPole-v1") is None
    assert suite_of("mine:CartPole") is None


def test_installed_suites_list_what_gymnasium_has() -> None:
    classic = next(suite for suite in SUITES if suite.name == "classic control")
    assert set(classic.ids()) <= set(gymnasium.registry)
    assert "Acrobot-v1" in classic.ids()


def test_missing_suites_list_their_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert all(suite.ids() == list(suite.examples) for suite in SUITES)
