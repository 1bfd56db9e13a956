"""Rows about an agent of another library, trained by a script in a run's dream."""

import json
from pathlib import Path

import pytest

from reverie.cli import outsider
from reverie.cli.main import main
from reverie.errors import UserError
from reverie.evaluate import ledger

SCRIPT = """
import argparse, json
import gymnasium
import reverie.envs

parser = argparse.ArgumentParser()
parser.add_argument("run")
parser.add_argument("environment")
parser.add_argument("--seed", type=int)
parser.add_argument("--episodes", type=int)
words = parser.parse_args()
dream = gymnasium.make("reverie/Dream-v0", run=words.run)
first, _ = dream.reset(seed=words.seed)
assert first.shape == (4,)
print("chatter")
returns = [10.0 * words.seed + k for k in range(words.episodes)]
print(json.dumps({"returns": returns, "curve": [[5, 1.5], [9, 2.5]], "seconds": 3.0}))
"""


def measured(folder: Path, text: str, **change: object) -> ledger.Seed:
    path = folder / "script.py"
    path.write_text(text)
    settings = {"seed": 0, "episodes": 2, "trained": 1.0} | change
    return outsider.measured(str(path), folder, "CartPole-v1", **settings)  # type: ignore[arg-type]


def test_a_row_of_a_script_is_recorded_and_run_again(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = here / "learn.py"
    script.write_text(SCRIPT)
    record = ["verify", "mine", "--record", "--runs", str(trained), "--script", "learn.py", "--episodes", "3"]
    assert main([*record, "--goal", "1"]) == 0
    assert "and learn.py in CartPole-v1" in capsys.readouterr().out
    _, claim = ledger.read("mine")
    assert claim.script == "learn.py"
    assert claim.seeds[0].returns == (0.0, 1.0, 2.0)
    assert claim.seeds[0].curve == ((5, 1.5), (9, 2.5))
    assert claim.seeds[0].wall_clock > 3.0  # the world model's training, and the script's

    script.unlink()
    assert main(["verify", "mine", "--episodes", "3"]) == 2
    assert "there is no script learn.py" in capsys.readouterr().err


def test_what_a_script_prints_is_checked(tmp_path: Path) -> None:
    right = json.dumps({"returns": [1, 3], "curve": [], "seconds": 2})
    seed = measured(tmp_path, f"print('{right}')")
    assert (seed.mean, seed.std, seed.wall_clock) == (2.0, 1.0, 3.0)
    with pytest.raises(UserError, match="was asked for 3 episodes and played 2"):
        measured(tmp_path, f"print('{right}')", episodes=3)
    for text in ("", "print(1)", "print('{}')"):
        with pytest.raises(UserError, match=r"the last line of .* must be JSON with returns") as wrong:
            measured(tmp_path, text)
        assert wrong.value.code == 65
    with pytest.raises(UserError, match="ended with exit code 78") as failed:
        measured(tmp_path, "raise SystemExit(78)")
    assert failed.value.code == 78
