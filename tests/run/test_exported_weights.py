"""What comes along dreams from anywhere, is small, has a card, and says which row of the ledger it is."""

from pathlib import Path

import numpy as np
import pytest

import reverie
from reverie.evaluate.ledger import read
from reverie.run.manifest import read as manifest_of
from reverie.run.runs import find

ROOT = Path(__file__).parents[2]
NAMES = sorted(folder.name for folder in (ROOT / "weights").iterdir() if folder.is_dir())


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Found by its name from elsewhere."""
    monkeypatch.chdir(tmp_path)
    return find(f"weights/{request.param}")


def test_it_dreams_and_its_agent_acts_there(folder: Path) -> None:
    dream = reverie.dream(f"weights/{folder.name}")
    shown, _ = dream.reset(seed=0)
    assert dream.observation_space.contains(shown)
    assert np.std(shown) > 1, "a picture, not one colour"
    dream.action_space.seed(0)
    following, reward, *_ = dream.step(dream.action_space.sample())
    assert np.isfinite(reward)
    assert not np.array_equal(following, shown)
    assert np.isfinite(reverie.load(f"weights/{folder.name}").dreamed(1).mean)


def test_it_is_small_and_has_a_card(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 13e6
    card = (folder / "README.md").read_text()
    row, about = read(folder.name, ROOT / "results")[1], manifest_of(folder)
    assert f"row `{row.name}`" in card
    assert f"{row.seeds[0].mean:.1f}" in card
    assert (row.method, row.environment, row.size) == (about["method"], about["environment"], about["size"])
