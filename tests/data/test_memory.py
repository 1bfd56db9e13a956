"""What does not fit is refused with the numbers."""

from pathlib import Path

import pytest
from data.numbered import LATENTS, SPACES

from reverie.data import memory
from reverie.data.replay import Replay
from reverie.errors import UserError


@pytest.mark.parametrize(("text", "expected"), [("max\n", None), ("1048576\n", 2**20)])
def test_a_container_may_have_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None
) -> None:
    monkeypatch.setattr(memory, "LIMITS", ())
    machine = memory.limit()
    assert machine > 2**28
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "memory.max", tmp_path / "none"))
    assert memory.limit() == (expected or machine)


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limit", lambda: 2**30)
    memory.check(2**30, "It", "Less.")
    with pytest.raises(UserError, match=r"It may grow to 80\.0 GiB, and this machine has 1\.0 GiB\. Less\."):
        memory.check(80 * 2**30, "It", "Less.")
    with pytest.raises(UserError, match=r"replay of 100000000 steps may grow to 3\.7 GiB"):
        Replay(SPACES, LATENTS, streams=1, length=4, capacity=100_000_000, seed=0)
