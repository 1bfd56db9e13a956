"""Named arrays as the bytes of a safetensors file, and back: no copy on the way out, no trust on the way in.

    8 bytes   length of the header, little-endian
    header    JSON: name -> {dtype, shape, data_offsets: [begin, end)}, "__metadata__" -> {str: str}
    data      the arrays, little-endian, C order, without holes or overlaps

Any safetensors reader opens these files. Ours is NumPy only, knows bfloat16, maps the file instead of reading it, and
refuses whatever is not exactly that, or has a header larger than any of ours. Checksums are the business of whoever
keeps the file (`digest`).
"""

import hashlib
import json
import math
import mmap
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from reverie.data import durable, objects

HEADER_LIMIT = 1_000_000
"""Bytes of a header."""

COUNT_LIMIT = 20_000
"""Arrays in a file."""

_CODES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "U16": np.dtype(np.uint16),
    "I16": np.dtype(np.int16),
    "U32": np.dtype(np.uint32),
    "I32": np.dtype(np.int32),
    "U64": np.dtype(np.uint64),
    "I64": np.dtype(np.int64),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
}
_DTYPES = {dtype.name: dtype for dtype in _CODES.values()}
_NAMES = {dtype: code for code, dtype in _CODES.items()}


def dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of a name such as `float16` or `bfloat16`."""
    if name not in _DTYPES:
        raise ValueError(f"dtype {name!r} cannot be stored; choose one of {', '.join(sorted(_DTYPES))}")
    return _DTYPES[name]


def pack(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> list[bytes | memoryview]:
    """A safetensors file in pieces: the header, then views of the arrays themselves."""
    if sys.byteorder != "little":
        raise ValueError("tensors: this machine is big-endian; files can only be written on little-endian ones")
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    pieces: list[bytes | memoryview] = []
    offset = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name]))
        if array.dtype not in _NAMES:
            raise ValueError(f"array {name!r} has dtype {array.dtype}, which cannot be stored")
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
        if array.nbytes:
            pieces.append(array.reshape(-1).view(np.uint8).data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_LIMIT or len(arrays) > COUNT_LIMIT:
        raise ValueError(f"{len(arrays)} arrays with a header of {len(text)} bytes are too many for one file")
    return [len(text).to_bytes(8, "little") + text, *pieces]


def digest(pieces: Iterable[bytes | memoryview]) -> str:
    """BLAKE2b of a file's content, given in pieces."""
    state = hashlib.blake2b(digest_size=32)
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()


def digest_of(path: Path) -> str:
    """BLAKE2b of a file, read from the disk: what cannot be read is an OSError, and in a mapped file the end."""
    state = hashlib.blake2b(digest_size=32)
    with durable.readable(path), path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def size(pieces: Iterable[bytes | memoryview]) -> int:
    """Bytes in all pieces."""
    return sum(len(piece) for piece in pieces)


def map_file(path: Path) -> memoryview:
    """A file's bytes, read from the disk only where they are looked at."""
    with durable.readable(path), path.open("rb") as file:
        if not path.stat().st_size:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def unpack(content: bytes | memoryview) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, as read-only views of its bytes. Raises ValueError on anything malformed."""
    content = memoryview(content)
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(HEADER_LIMIT, len(content) - 8):
        raise ValueError(f"not a safetensors file: {len(content)} bytes cannot hold a header of {length}")
    header = objects.parse(bytes(content[8 : 8 + length]))
    _check_metadata(header.pop("__metadata__", {}))
    if len(header) > COUNT_LIMIT:
        raise ValueError(f"safetensors: {len(header)} arrays are too many")
    data = content[8 + length :]
    arrays: dict[str, np.ndarray] = {}
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: _offsets(*item)):
        array_type, shape, (begin, stop) = _described(name, entry)
        if begin != end or stop > len(data) or stop - begin != array_type.itemsize * math.prod(shape):
            raise ValueError(f"safetensors: array {name!r} of shape {shape} does not lie at bytes {begin} to {stop}")
        if array_type == np.bool_ and np.frombuffer(data[begin:stop], np.uint8).max(initial=0) > 1:
            raise ValueError(f"safetensors: array {name!r} holds what is neither true nor false")
        arrays[name] = np.frombuffer(data[begin:stop], array_type).reshape(shape)
        end = stop
    if end != len(data):
        raise ValueError(f"safetensors: {len(data) - end} bytes belong to no array")
    return arrays


def _check_metadata(metadata: Any) -> None:
    texts = [*metadata, *metadata.values()] if isinstance(metadata, dict) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("safetensors: __metadata__ holds something else than texts")


def _described(name: str, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], tuple[int, int]]:
    """One entry of the header, checked."""
    code, shape = entry.get("dtype"), entry.get("shape")
    if entry.keys() != {"dtype", "shape", "data_offsets"} or not name.isprintable():
        raise ValueError(f"safetensors: array {name!r} is described by {sorted(entry)}")
    if not isinstance(code, str) or code not in _CODES:
        raise ValueError(f"safetensors: array {name!r} has unknown dtype {code!r}")
    if not isinstance(shape, list) or not all(type(length) is int and 0 <= length < 2**48 for length in shape):
        raise ValueError(f"safetensors: array {name!r} has shape {shape!r}")
    return _CODES[code], tuple(shape), _offsets(name, entry)


def _offsets(name: str, entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise ValueError(f"safetensors: array {name!r} has no valid data_offsets")
    return offsets[0], offsets[1]
