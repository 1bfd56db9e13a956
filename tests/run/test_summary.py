"""The numbers of stored experience, against the same taken at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from run.kept import NUMBERS, chunk, described, fill, flip, kept, replay, saved

from reverie.run.stored import Stored
from reverie.run.summary import Range, summary


def test_arrays_and_extent(tmp_path: Path) -> None:
    found = summary(Stored(kept(tmp_path)))
    assert [found[name] for name in ("rows", "streams", "oldest", "newest")] == [60, 2, 0, 59]
    arrays = {row["array"]: row for row in found["arrays"]}
    assert arrays["observation.state"] == {
        "array": "observation.state", "dtype": "float32", "shape": [2], "minimum": 0, "maximum": 59, "mean": 29.5,
    }  # fmt: skip
    assert arrays["is_first"]["mean"] == pytest.approx(1 / 5)
    assert arrays.keys() == {
        "action", "reward", "terminated", "truncated", "is_first", "observation.state", "observation.pixels",
    }  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_episodes_and_executed_actions(tmp_path: Path) -> None:
    def cut_short(time: int, step, action: np.ndarray) -> None:
        step.truncated[:], step.terminated[:] = step.terminated.copy(), False

    stored = fill(fill(replay(), range(33)), range(5), cut_short)
    found = summary(Stored(saved(described(tmp_path), stored)))
    assert found["episodes"] == {
        "whole": 14, "cut": 2, "length": {"mean": 4, "least": 4, "most": 4},
        "return": {"mean": 4, "least": 4, "most": 4}, "terminated": 12 / 14, "truncated": 2 / 14,
    }  # fmt: skip
    numbers = np.concatenate([np.arange(66), np.arange(10)])
    executed = numbers[numbers // 2 % 5 != 4] % 3
    (action,) = found["actions"]
    assert action == {"element": 0, "choices": {str(choice): int((executed == choice).sum()) for choice in range(3)}}


def test_actions_that_are_numbers(tmp_path: Path) -> None:
    found = summary(Stored(kept(tmp_path, spaces=NUMBERS)))
    executed = np.array([number % 3 for number in range(60) if number // 2 % 5 != 4])
    assert [action["element"] for action in found["actions"]] == [0, 1]
    assert found["actions"][1] == {"element": 1, "minimum": 0, "maximum": 2, "mean": executed.mean()}


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    flip(chunk(kept(tmp_path), 20))
    found = summary(Stored(tmp_path))
    assert found["rows"] == 40
    assert found["troubles"] == ["00000000000020.safetensors: checksum differs"]


def test_nothing(tmp_path: Path) -> None:
    saved(described(tmp_path), replay())
    (tmp_path / "replay").mkdir()
    (tmp_path / "replay" / "chunks.jsonl").write_text("")
    found = summary(Stored(tmp_path))
    assert (found["rows"], found["oldest"], found["arrays"], found["actions"]) == (0, None, [], [])
    assert found["episodes"]["length"] == {"mean": None, "least": None, "most": None}


def test_a_range_of_pieces() -> None:
    values = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    found = Range()
    assert found.to_json() == {"minimum": None, "maximum": None, "mean": None}
    for piece in (values[:4], values[:0], values[4:]):
        found.add(piece)
    exact = {"minimum": values.min(), "maximum": values.max(), "mean": values.mean(dtype=np.float64)}
    assert found.to_json() == pytest.approx(exact)
    found.add(np.array([np.nan], np.float32))
    assert all(np.isnan(number) for number in found.to_json().values())
