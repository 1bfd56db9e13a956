"""Any safetensors reader reads what we write; we refuse what is not exactly a safetensors file."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from reverie.data import tensors

ARRAYS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(3, np.int64),
    "c": np.array([[True, False]]),
    "empty": np.zeros((0, 4), np.uint8),
    "half": np.array([0.5, -2.0], np.float16),
    "scalar key": np.array([1, 2], np.uint32),
}


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    return b"".join(tensors.pack(arrays))


def test_round_trip() -> None:
    arrays = ARRAYS | {"brain": np.array([1.5, 3.0], ml_dtypes.bfloat16)}
    back = tensors.unpack(packed(arrays))
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back[name], array)


def test_the_reference_reads_ours_and_we_read_the_reference() -> None:
    theirs = safetensors.numpy.load(packed(ARRAYS))
    ours = tensors.unpack(safetensors.numpy.save(ARRAYS, {"made": "there"}))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(theirs[name], array)
        np.testing.assert_array_equal(ours[name], array)


def test_arrays_in_any_memory_order() -> None:
    array = np.arange(12).reshape(3, 4)[:, ::2].T
    np.testing.assert_array_equal(tensors.unpack(packed({"a": array}))["a"], array)


def test_digest_and_size_do_not_depend_on_the_pieces(tmp_path: Path) -> None:
    pieces = tensors.pack(ARRAYS)
    whole = b"".join(pieces)
    assert tensors.digest(pieces) == tensors.digest([whole])
    (tmp_path / "whole").write_bytes(whole)
    assert tensors.digest_of(tmp_path / "whole") == tensors.digest(pieces)
    assert tensors.size(pieces) == len(whole)


def test_a_mapped_file_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(packed(ARRAYS))
    (tmp_path / "empty").write_bytes(b"")
    np.testing.assert_array_equal(tensors.unpack(tensors.map_file(tmp_path / "a"))["a.weight"], ARRAYS["a.weight"])
    assert len(tensors.map_file(tmp_path / "empty")) == 0


def file(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} | changes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"1234567",
        (2**63).to_bytes(8, "little"),
        (10).to_bytes(8, "little") + b"{}",
        file([1]),
        file({"a": 1}),
        file({"a": entry()}),
        file({"a": entry()}, b"123"),
        file({"a": entry()}, b"12345"),
        file({"a": entry(dtype="PY")}, b"1234"),
        file({"a": entry(shape=[5])}, b"1234"),
        file({"a": entry(shape=[-4])}, b"1234"),
        file({"a": entry(shape=[2**62, 4])}, b"1234"),
        file({"a": entry(shape="4")}, b"1234"),
        file({"a": entry(shape=[4.0])}, b"1234"),
        file({"a": entry(data_offsets=[0])}, b"1234"),
        file({"a": entry(data_offsets=[4, 0])}, b"1234"),
        file({"a": entry(data_offsets=[-4, 0])}, b"1234"),
        file({"a": entry(), "b": entry()}, b"1234"),
        file({"a": entry(), "b": entry(data_offsets=[6, 10])}, b"1234567890"),
        file({"a": entry(dtype=["U8"])}, b"1234"),
        file({"a": entry(code="import os")}, b"1234"),
        file({"a": entry(dtype="BOOL")}, b"\0\1\2\1"),
        file({"a": entry(shape=[1] * 1000)}, b"1234"),
        file({"a\x1b[2J": entry()}, b"1234"),
        file({"a": entry(), "__metadata__": {"b": 1}}, b"1234"),
        file({"a": entry(), "__metadata__": "b"}, b"1234"),
        file({str(number): entry(shape=[0], data_offsets=[0, 0]) for number in range(tensors.COUNT_LIMIT + 1)}),
        (10**6 + 8).to_bytes(8, "little") + b" " * 10**6 + b"{}" + b" " * 6,
        (10**6).to_bytes(8, "little") + b"[" * 10**6,
    ],
)
def test_malformed_files_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"safetensors|Expecting|JSON"):
        tensors.unpack(content)


@given(st.binary(max_size=200))
def test_noise_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        tensors.unpack(content)


def test_what_cannot_be_stored_is_said() -> None:
    with pytest.raises(ValueError, match="too many for one file"):
        tensors.pack({str(number): np.zeros(0) for number in range(tensors.COUNT_LIMIT + 1)})
    with pytest.raises(ValueError, match="complex64"):
        tensors.pack({"a": np.zeros(2, np.complex64)})
    with pytest.raises(ValueError, match="choose one of bfloat16, bool"):
        tensors.dtype("float8")
