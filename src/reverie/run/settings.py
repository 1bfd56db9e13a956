"""Settings as frozen dataclasses: changed by name, written as JSON and read back, compared.

A name is a path of fields, `optimiser.learning_rate`; a wrong one is answered with the nearest that exist.
"""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from reverie.errors import UserError

Settings = TypeVar("Settings")

_DAMAGED = "The run's manifest was changed or is damaged: restore it from a copy, or start again with --new."


def override(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """A copy with other values: `override(config, {"train_ratio": 32, "optimiser.warmup": 0})`."""
    for name, value in changes.items():
        settings = _replace(settings, name.split("."), value, name)
    return settings


def check_range(settings: Any, names: Iterable[str], low: float | int, high: float | int = math.inf) -> None:
    """ValueError unless each of these fields is a finite number from `low` to `high`, both allowed."""
    for name in names:
        value = getattr(settings, name)
        if not (low <= value <= high and value < math.inf):  # which a NaN is not either
            allowed = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
            raise ValueError(f"{type(settings).__name__}.{name} must be {allowed}, got {value}")


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Every value by its path."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        path = f"{prefix}{field.name}"
        values |= flat(value, f"{path}.") if dataclasses.is_dataclass(value) else {path: value}
    return values


def from_json(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """The dataclass that `dataclasses.asdict` wrote as JSON; fields it did not know yet keep their defaults."""
    known = {field.name for field in dataclasses.fields(typing.cast(Any, kind))}
    if unknown := sorted(values.keys() - known):
        raise UserError(
            f"the settings {', '.join(unknown)} are unknown to this version of reverie; they were written by another. "
            "Continue with the version that wrote them.",
            code=65,
        )
    hints = typing.get_type_hints(kind)
    found = {name: _value(hints[name], value, name) for name, value in values.items()}
    try:
        return kind(**found)
    except ValueError as error:  # out of its range
        raise UserError(f"{error}. {_DAMAGED}", code=65) from error


def nearest(name: str, names: Iterable[str]) -> str:
    """The remedy for a wrong name: the nearest right ones, or all of them."""
    names = list(names)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are {', '.join(names)}."


def _replace(settings: Settings, path: list[str], value: Any, name: str) -> Settings:
    record = typing.cast(Any, settings)
    fields = {field.name: field for field in dataclasses.fields(record)}
    head, *rest = path
    if head not in fields:
        raise UserError(f"there is no setting {name!r}. {nearest(head, fields)}")
    old = getattr(record, head)
    if rest and not dataclasses.is_dataclass(old):
        raise UserError(f"there is no setting {name!r}: {head} is a single value, {old!r}.")
    new = _replace(old, rest, value, name) if rest else _fitting(old, value, name)
    return dataclasses.replace(record, **{head: new})


def _fitting(old: Any, value: Any, name: str) -> Any:
    """The value in the kind of the one it replaces: whole numbers serve as fractions, lists as tuples."""
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(old, tuple) and isinstance(value, list):
        return tuple(typing.cast(list[Any], value))
    if type(value) is not type(old):
        raise UserError(f"the setting {name} is a {type(old).__name__} such as {old!r}, got {value!r}.")
    return value


def _value(kind: Any, value: Any, name: str) -> Any:
    """The value of a field, of the field's kind."""
    plain = typing.get_origin(kind) or kind
    if dataclasses.is_dataclass(plain) and isinstance(value, dict):
        return from_json(typing.cast(Any, plain), typing.cast(dict[str, Any], value))
    if plain is tuple and isinstance(value, list):
        return tuple(_value(typing.get_args(kind)[0], element, name) for element in typing.cast(list[Any], value))
    if type(value) is plain or (plain is float and type(value) is int):
        return value
    needed = getattr(plain, "__name__", plain)
    raise UserError(f"the setting {name} is a {needed}, got {value!r}. {_DAMAGED}", code=65)
