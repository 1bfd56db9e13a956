"""A run that takes over the stages of another one and is killed meanwhile becomes what it would have become alone."""

import signal
from pathlib import Path

import pytest

from reliability.commands import METHODS, completed, hash_of, line, reverie

STAGED = next(method for method in METHODS if method.name == "vmc")
OPERATIONS = (1, 3, 6, 9, 14, 25, 60)
"""On the disk, at which it is killed one time after another: the first make its folder, the next link what it takes."""


@pytest.mark.timeout(240)
def test_killed_while_it_takes_over(tmp_path: Path) -> None:
    alone = completed(line(STAGED, tmp_path / "alone"), tmp_path / "alone")
    source = completed(line(STAGED, tmp_path / "source", "--until=memory"), tmp_path / "source")
    run = tmp_path / "run"
    words = line(STAGED, run, f"--begin-with={tmp_path / 'source'}")
    killed = [reverie(words, fault=f"kill {operation}").code for operation in OPERATIONS]
    assert killed == [-signal.SIGKILL] * len(OPERATIONS)
    assert completed(words, run) == alone
    assert hash_of(tmp_path / "source") == source, "what it takes from is as it was"
