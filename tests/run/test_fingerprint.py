"""The number of a run: it follows the state and the metrics, and neither the clock nor the chunks."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from reverie.data import chunks, durable
from reverie.data.replay import Replay
from reverie.errors import UserError
from reverie.run.fingerprint import fingerprint
from reverie.run.run import Run
from reverie.types import ArraySpec, Spaces, Step

SPACES = Spaces({"x": ArraySpec("vector", (2,))}, ArraySpec("discrete", (1,), (3,)))
ABOUT = {"method": "m", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 100}
FALSE = np.zeros(2, bool)


def replay_of(rows: int, capacity: int = 40, shown: float = 0.0) -> Replay:
    replay = Replay(SPACES, {"mark": ((1,), "float32")}, streams=2, length=3, capacity=capacity, seed=0)
    for row in range(rows):
        step = Step({"x": np.full((2, 2), row + shown, np.float32)}, np.zeros(2, np.float32), FALSE, FALSE, FALSE)
        replay.add(step, np.zeros((2, 1), np.int32), {"mark": np.full((2, 1), row, np.float32)})
    return replay


def saved(folder: Path, *, weight: float = 1.0, loss: float = 0.5, replay: Replay | None = None, taken: int = 3) -> str:
    """The number of a run of one checkpoint."""
    with Run.create(folder, ABOUT) as run:
        run.log(10, loss=loss)
        run.save(10, {"w": jnp.full(2, weight)}, {"taken": taken}, replay or replay_of(30))
        run.log(20, loss=3.0)  # after the checkpoint: not part of it
    return fingerprint(folder)


def test_equal_runs_have_one_number(tmp_path: Path) -> None:
    one = saved(tmp_path / "one")
    assert len(one) == 64
    assert saved(tmp_path / "other") == one
    assert json.loads((tmp_path / "one" / "metrics.jsonl").read_text().splitlines()[0])["seconds"] >= 0


@pytest.mark.parametrize(
    "different",
    [
        {"weight": 1.5}, {"loss": 0.25}, {"taken": 4}, {"replay": replay_of(30, shown=0.5)}, {"replay": replay_of(29)},
        {"replay": replay_of(30, capacity=38)},
    ],
    ids=["weight", "metric", "counter", "a row", "one row less", "one row forgotten"],
)  # fmt: skip
def test_another_state_is_another_number(tmp_path: Path, different) -> None:
    assert saved(tmp_path / "one", **different) != saved(tmp_path / "other")


def test_chunks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(tmp_path / "whole")
    monkeypatch.setattr("reverie.data.replay.ROWS", 7)
    assert saved(tmp_path / "cut") == whole
    assert len(chunks.Chunks(tmp_path / "cut" / "replay").listed) > 1


def test_a_lost_chunk_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverie.data.replay.ROWS", 7)
    whole = saved(tmp_path / "run")
    listed = chunks.Chunks(tmp_path / "run" / "replay")
    listed.set_aside(listed.listed[2])
    assert fingerprint(tmp_path / "run") != whole


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", ABOUT)
    with pytest.raises(UserError, match="no checkpoint yet"):
        fingerprint(tmp_path / "run")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    saved(tmp_path / "run")
    (file,) = (tmp_path / "run" / "checkpoints").glob("*/state.safetensors")
    durable.write(file, b"\0" * 8)
    with pytest.raises(UserError, match=r"state.safetensors does not match its checksum.*reverie resume"):
        fingerprint(tmp_path / "run")


def test_a_damaged_line_of_the_log_is_part_of_the_number(tmp_path: Path) -> None:
    whole = saved(tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    for damage in (b"5", b"\xff\xfe"):
        path.write_bytes(damage + path.read_bytes()[len(damage) :])
        assert fingerprint(tmp_path / "run") not in (whole, "")


def test_rows_that_are_not_there_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = saved(tmp_path / "run")
    assert not caplog.text
    (tmp_path / "run" / "replay" / chunks.MANIFEST).unlink()
    assert fingerprint(tmp_path / "run") != whole
    assert "lacks rows; it holds [] of 0 to 60" in caplog.text
