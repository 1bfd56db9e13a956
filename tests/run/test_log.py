"""Whole lines of numbers, readable whatever happened."""

import math
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from reverie.run import log
from reverie.run.log import Log


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    file = Log(tmp_path / "m")
    file.append({"step": np.int64(3), "loss": np.float32(0.1), "jax": jnp.float32(2), "half": jnp.bfloat16(1.5)})
    file.append(
        {"nan": math.nan, "inf": jnp.float32(math.inf), "minus": -math.inf, "text": "a\nb", "yes": np.bool_(True)}
    )
    first, second = log.read(tmp_path / "m")
    assert first == {"step": 3, "loss": float(np.float32(0.1)), "jax": 2.0, "half": 1.5}
    assert math.isnan(second.pop("nan"))
    assert second == {"inf": math.inf, "minus": -math.inf, "text": "a\nb", "yes": True}
    assert type(first["step"]) is int


def test_every_line_is_strict_json(tmp_path: Path) -> None:
    Log(tmp_path / "m").append({"a": math.nan, "b": math.inf})
    assert (tmp_path / "m").read_text() == '{"a": "NaN", "b": "Infinity"}\n'


def test_only_single_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'a' has shape \(2,\)"):
        Log(tmp_path / "m").append({"a": np.zeros(2)})


def test_a_torn_line_is_not_read_and_is_repaired(tmp_path: Path) -> None:
    file = Log(tmp_path / "m")
    file.append({"a": 1})
    with file.path.open("ab") as raw:
        raw.write(b'{"a": 2')
    assert log.read(file.path) == [{"a": 1}]
    file.repair()
    file.append({"a": 3})
    assert log.read(file.path) == [{"a": 1}, {"a": 3}]


def test_readers_do_not_repair(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b'{"a": 1}\n{"a"')
    Log(tmp_path / "m")
    assert log.read(tmp_path / "m") == [{"a": 1}]
    assert (tmp_path / "m").read_bytes().endswith(b'{"a"')


def test_lines_that_are_no_objects_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b'nonsense\n[1]\n\xff\n{"a": 1}\n')
    assert log.read(tmp_path / "m") == [{"a": 1}]
    assert log.read(tmp_path / "none") == []


def test_cut_back_to_an_offset(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Log(tmp_path / "m")
    assert file.offset == 0
    file.append({"a": 1})
    offset = file.offset
    file.append({"a": 2})
    file.cut(offset)
    assert caplog.text == ""
    file.cut(offset + 100)
    assert f"has lost the last 100 of its {offset + 100} bytes" in caplog.text
    assert log.read(file.path) == [{"a": 1}]
