"""Settings: changed by name, written and read back, compared."""

import dataclasses
import json
from dataclasses import dataclass, field

import pytest

from reverie.errors import UserError
from reverie.run.settings import flat, from_json, nearest, override


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    sizes: tuple[int, ...] = (2, 3)


@dataclass(frozen=True)
class Outer:
    width: int = 4
    name: str = "a"
    on: bool = False
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Outer.width must be at least 1, got {self.width}")


def test_override_reaches_into_parts_and_leaves_the_original() -> None:
    base = Outer()
    changed = override(base, {"width": 8, "inner.rate": 1, "inner.sizes": [5]})
    assert changed == Outer(width=8, inner=Inner(1.0, (5,)))
    assert isinstance(changed.inner.rate, float)
    assert base == Outer()


def test_flat_values_are_overrides() -> None:
    changed = Outer(on=True, inner=Inner(sizes=(1,)))
    found = flat(changed)
    assert list(found) == ["width", "name", "on", "inner.rate", "inner.sizes"]
    assert override(Outer(), found) == changed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("widht", 3, "no setting 'widht'. Did you mean width?"),
        ("inner.rat", 3.0, "no setting 'inner.rat'. Did you mean rate?"),
        ("width.of", 3, "width is a single value, 4"),
        ("width", 2.5, "width is a int such as 4, got 2.5"),
        ("on", 1, "on is a bool such as False, got 1"),
        ("inner", 3, "inner is a Inner"),
    ],
)
def test_a_wrong_name_or_value_says_what_is_right(name: str, value: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        override(Outer(), {name: value})


def test_an_impossible_value_is_refused_by_the_settings_themselves() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        override(Outer(), {"width": 0})


def test_json_reads_back() -> None:
    settings = Outer(width=9, inner=Inner(sizes=(7, 8)))
    text = json.dumps(dataclasses.asdict(settings))
    assert from_json(Outer, json.loads(text)) == settings


def test_settings_of_another_version_are_not_dropped_silently() -> None:
    with pytest.raises(UserError, match="depth are unknown to this version") as raised:
        from_json(Outer, {"depth": 3})
    assert raised.value.code == 65


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": "9"}, "the setting width is a int, got '9'"),
        ({"width": True}, "the setting width is a int, got True"),
        ({"on": 1}, "the setting on is a bool, got 1"),
        ({"inner": 3}, "the setting inner is a Inner, got 3"),
        ({"inner": {"sizes": [1, "2"]}}, "the setting sizes is a int, got '2'"),
        ({"name": {"_target_": "os.system"}}, "the setting name is a str, got {'_target_': 'os.system'}"),
        ({"width": 0}, "Outer.width must be at least 1, got 0"),
    ],
)
def test_a_damaged_value_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=f"{message}.*damaged: restore it") as raised:
        from_json(Outer, values)
    assert raised.value.code == 65


def test_a_whole_number_serves_as_a_fraction() -> None:
    assert from_json(Outer, {"inner": {"rate": 1}}).inner.rate == 1


def test_nearest_lists_everything_where_nothing_is_near() -> None:
    assert nearest("zzz", ["one", "two"]) == "There are one, two."
