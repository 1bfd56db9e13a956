"""An object or a ValueError, whatever the bytes are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.data import objects


def test_an_object_is_read() -> None:
    assert objects.parse(b'{"a": {"b": [1, 2.5, null, "c"]}}') == {"a": {"b": [1, 2.5, None, "c"]}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b"[1]", "no JSON object"),
        (b"3", "no JSON object"),
        (b'{"a": 1, "a": 2}', "a name comes twice"),
        (b'{"b": {"a": 1, "a": 1}}', "a name comes twice"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"[" * 60 + b"]" * 60 + b"}", "nested too deep"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "10000 digits"),
        (b'{"a": "\xff\xfe"}', "decode"),
        (b"\x80\x04\x95", "decode"),
    ],
)
def test_anything_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        objects.parse(content)


@given(st.binary(max_size=100))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        objects.parse(b"\x00" + content)
