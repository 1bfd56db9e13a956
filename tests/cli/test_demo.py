"""`reverie demo`: trains, evaluates, draws, and says what to type next."""

import json
from pathlib import Path

import pytest

from reverie.cli.main import main

SMALL = ["demo", "--steps", "60", "--episodes", "2", "--run", "shown"]


@pytest.mark.slow
def test_the_demo_leaves_a_score_and_films(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 0
    shown = capsys.readouterr().out
    assert "run: shown" in shown.splitlines()
    assert "over 2 episodes" in shown
    assert shown.index("next:") < shown.index("reverie eval shown")
    for name in ("learning_curve.png", "agent.webp", "dream.webp"):
        assert (here / "shown" / "media" / name).stat().st_size > 1000
    assert main([*SMALL, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "demo"
    assert len(events[-1]["returns"]) == 2
    assert all(Path(path).exists() for path in events[-1]["media"])
