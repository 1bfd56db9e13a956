"""Everything is compiled in the first thousand steps: a program that compiles forever grows forever."""

import json
from pathlib import Path

import pytest

from reliability.commands import METHODS, Method, line, reverie
from reverie.run import log

WARM = 1000


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_nothing_is_compiled_later(method: Method, tmp_path: Path) -> None:
    outcome = reverie(line(method, tmp_path / "run", steps=3000), fault="compiling")
    assert outcome.code == 0, outcome.said
    steps = json.loads(outcome.said.rpartition("compiled at ")[2])
    assert steps, "compilations are not seen any more: the name of jax's event has changed"
    assert max(steps) <= WARM
    learned = [entry for entry in log.read(tmp_path / "run" / log.FILE) if "loss" in entry]
    assert [learned[-1][trouble] for trouble in ("skipped", "failures", "mended")] == [0, 0, 0]
