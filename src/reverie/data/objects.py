"""JSON objects out of files that may hold anything."""

import json
from typing import Any

DEPTH = 50
"""Levels that no file of ours reaches."""
DIGITS = 40
"""Digits that no whole number of ours reaches."""


def parse(content: bytes) -> dict[str, Any]:
    """The object that the bytes are. Raises ValueError on anything else: no JSON, nested too deep, a name twice."""
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique, parse_int=_whole)
    except RecursionError as error:
        raise ValueError("JSON is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    level: list[Any] = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _inner(outer)]
        if not level:
            return value
    raise ValueError("JSON is nested too deep")


def _inner(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _whole(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As a dict: a name that comes twice would be read as one by some and as the other by others."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in a JSON object")
    return found
