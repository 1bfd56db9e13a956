"""Every scalar becomes an event, and asking twice does not double it."""

import sys
import types
from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run import tensorboard

LINES = """{"step": 8, "seconds": 0.5, "episode/return": 3.0}
{"step": 16, "seconds": 1.5, "loss": "NaN", "note": "kept out"}
"""


class Writer:
    """Stands in for tensorboardX's: a file with a line per event."""

    def __init__(self, folder: str) -> None:
        self.file = Path(folder) / "events"
        Path(folder).mkdir()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None: ...

    def add_scalar(self, name: str, value: float, step: int, seconds: float) -> None:
        before = self.file.read_text() if self.file.exists() else ""
        self.file.write_text(f"{before}{name} {value} {step} {seconds}\n")


def test_every_scalar_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = types.ModuleType("tensorboardX")
    monkeypatch.setattr(board, "SummaryWriter", Writer, raising=False)
    monkeypatch.setitem(sys.modules, "tensorboardX", board)
    (tmp_path / "metrics.jsonl").write_text(LINES)
    for _ in range(2):
        folder = tensorboard.export(tmp_path)
        assert folder == tmp_path / "tensorboard"
        events = (folder / "events").read_text().splitlines()
        assert events == ["episode/return 3.0 8 0.5", "loss nan 16 1.5"]


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UserError, match=r'pip install "\.\[tensorboard\]"') as raised:
        tensorboard.export(tmp_path)
    assert raised.value.code == 78
