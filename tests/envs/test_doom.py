import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from envs.installed import assert_a_seed_decides, needs, play

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.envs.pool import Pool

pytestmark = needs("vizdoom", "doom")


def test_a_seed_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_a_seed_decides("VizdoomTakeCover-v1")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = make("VizdoomBasic-v1")
    play(environment, 0)
    assert list(tmp_path.iterdir()) == []
    environment.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_engine_dies_with_its_worker() -> None:
    with Pool("VizdoomBasic-v1", count=1, workers=1) as pool:
        pool.step(None)
        (worker,) = multiprocessing.active_children()
        (engine,) = children(worker.pid or 0)
        os.kill(worker.pid or 0, signal.SIGKILL)
        assert pool.step(np.zeros((1, 1), np.int32)).is_first.all()
        command = Path(f"/proc/{engine}/cmdline")
        assert not command.exists() or command.read_bytes() == b""  # gone, or a zombie that nobody has buried yet


def children(pid: int) -> list[int]:
    lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for text in lists for child in text.split()]


def test_four_tics_per_action_and_names_for_actions() -> None:
    environment = make("VizdoomTakeCover-v1")
    environment.reset(0)
    assert (environment.repeat, environment.fps) == (4, 35 / 4)
    assert environment.spaces.action.labels == ("nothing", "move right", "move left")
    assert environment.step(np.array([0], np.int32)).reward == 4
    environment.close()


def test_our_clock_cuts_and_does_not_end() -> None:
    rows = play(make("VizdoomTakeCover-v1", EnvironmentConfig(time_limit=20)), 0)
    assert (len(rows) - 1, rows[-1].truncated, rows[-1].terminated) == (5, True, False)


def test_its_own_clock_cuts_and_does_not_end() -> None:
    environment = make("VizdoomBasic-v1")
    rows = [environment.reset(0)]
    while not (rows[-1].terminated or rows[-1].truncated):
        rows.append(environment.step(np.array([0], np.int32)))
    assert (rows[-1].truncated, rows[-1].terminated) == (True, False)
    assert rows[-1].observation["screen"].any()  # no black frame
    np.testing.assert_array_equal(rows[-1].observation["screen"], rows[-2].observation["screen"])
    environment.close()
