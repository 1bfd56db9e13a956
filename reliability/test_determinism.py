"""The same seed gives the same hash, whatever the machine is doing and however the process was started."""

from pathlib import Path

import pytest

from reliability.commands import Method, completed, line

STEPS = 400


@pytest.fixture(scope="module")
def expected(method: Method, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = tmp_path_factory.mktemp("expected") / "run"
    return completed(line(method, run, steps=STEPS), run)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers(method: Method, expected: str, workers: int, tmp_path: Path) -> None:
    """Of the same four environments."""
    run = tmp_path / "run"
    assert completed(line(method, run, f"--config.experience.workers={workers}", steps=STEPS), run) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        {"PYTHONHASHSEED": "2", "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONUTF8": "0"},
    ],
    ids=["again", "hash seed, zone, locale", "another"],
)
def test_surroundings(method: Method, expected: str, variables: dict[str, str], tmp_path: Path) -> None:
    """Another hash seed, time zone, locale and working directory."""
    run = tmp_path / "run"
    assert completed(line(method, Path("run"), steps=STEPS), run, cwd=tmp_path, **variables) == expected


@pytest.mark.parametrize("seed", [1, 2])
def test_the_timing_of_threads(method: Method, expected: str, seed: int, tmp_path: Path) -> None:
    """The thread that draws batches, and the environments, pause at random: batches are drawn early or late."""
    run = tmp_path / "run"
    assert completed(line(method, run, steps=STEPS), run, fault=f"jitter {seed}") == expected


def test_what_is_printed(method: Method, expected: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert completed(line(method, run, "--json", steps=STEPS), run) == expected


def test_in_two_parts(method: Method, expected: str, tmp_path: Path) -> None:
    """Half the steps first, the rest later."""
    run = tmp_path / "run"
    completed(line(method, run, steps=STEPS // 2), run)
    assert completed(line(method, run, steps=STEPS), run) == expected


def test_another_seed_is_another_run(method: Method, expected: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert completed(line(method, run, "--seed=1", steps=STEPS), run) != expected
