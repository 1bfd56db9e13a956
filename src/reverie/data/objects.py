"""JSON objects out of files that may hold anything."""

import json
from typing import Any


def parse(content: bytes) -> dict[str, Any]:
    """The object that the bytes are. Raises ValueError on anything else: no JSON, nested too deep, a name twice."""
    try:
        value = json.loads(content.decode(), object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("JSON is nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """As a dict: a name that comes twice would be read as one by some and as the other by others."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in a JSON object")
    return found
