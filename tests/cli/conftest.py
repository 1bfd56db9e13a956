"""A method so small that a run takes seconds: what the verbs are tried on."""

from pathlib import Path

import pytest

from reverie.cli.main import main

SETTINGS = {
    "config": {"batch": 2, "length": 4, "horizon": 2, "units": 8, "depth": 1},
    "config.rssm": {"deter": 16, "hidden": 8, "stoch": 2, "classes": 4, "blocks": 2},
    "config.experience": {"environments": 2, "train-ratio": 2, "dispatch": 1},
}
MICRO = [f"--{part}.{name}={value}" for part, values in SETTINGS.items() for name, value in values.items()]


@pytest.fixture(scope="session")
def micro() -> list[str]:
    """Options of `reverie train`."""
    return list(MICRO)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; to be read, not changed."""
    folder = tmp_path_factory.mktemp("runs") / "trained"
    assert main(["train", "dreamer3", "CartPole-v1", "--steps", "80", "--run", str(folder), *MICRO]) == 0
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
