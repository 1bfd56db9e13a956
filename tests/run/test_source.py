"""A run that begins with another one's stages becomes what it would have become on its own."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from methods.staged import DREAM, Blinking, begun, final, lines, train

from reverie.data import durable
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.methods import vmc
from reverie.run import checkpoints

COLDER = replace(DREAM, temperature=0.4, hidden=2, population=6)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("source") / "run", DREAM).directory


@pytest.mark.parametrize(
    ("config", "spared"),
    [
        (COLDER, ["done/vision", "done/memory"]),
        (replace(COLDER, memory_rate=2e-3), ["done/vision"]),
        (replace(COLDER, vision_rate=2e-4), []),
    ],
    ids=["evolution", "memory", "vision"],
)
def test_it_is_what_it_would_have_been(config: vmc.Config, spared: list[str], source: Path, tmp_path: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in source.rglob("*") if path.is_file())
    alone = train(tmp_path / "alone", config)
    logged: list[dict] = []
    other = train(tmp_path / "other", config, begin_with=source, logged=logged)
    assert final(other) == final(alone)
    assert [line | {"seconds": 0} for line in lines(other)] == [line | {"seconds": 0} for line in lines(alone)]
    assert not any(name in line for line in logged for name in ("episode/return", *spared)), "it was done again"
    assert before == sorted((path, path.stat().st_mtime_ns) for path in source.rglob("*") if path.is_file())
    seconds = [line["seconds"] for line in lines(other)]
    assert seconds == sorted(seconds)


def test_rows_are_linked(source: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", COLDER, begin_with=source, until="collect")
    (chunk,) = (run.directory / "replay").glob("*.safetensors")
    assert chunk.samefile(source / "replay" / chunk.name)


def test_a_run_that_has_begun_needs_no_source(source: Path, tmp_path: Path) -> None:
    train(tmp_path / "run", COLDER, begin_with=source, until="memory")
    after = train(tmp_path / "run", COLDER, begin_with=tmp_path / "gone")
    assert final(after) == final(train(tmp_path / "other", COLDER, begin_with=source))


def test_stopped_after_a_stage_it_goes_on_to_the_next(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", DREAM)
    expected = {"collect": ["collect"], "vision": ["collect", "vision"], "memory": ["collect", "vision", "memory"]}
    for stage, seen in expected.items():
        run = train(tmp_path / "run", DREAM, until=stage)
        names = [name.removeprefix("done/") for line in lines(run) for name in line if name.startswith("done/")]
        assert list(dict.fromkeys(names)) == seen
    assert final(train(tmp_path / "run", DREAM)) == final(whole)


def test_a_stage_that_is_not_over_is_not_taken(tmp_path: Path) -> None:
    half = train(tmp_path / "half", DREAM, until="vision").directory
    logged: list[dict] = []
    other = train(tmp_path / "other", COLDER, begin_with=half, logged=logged)
    assert final(other) == final(train(tmp_path / "alone", COLDER))
    assert "done/memory" in logged[0]
    run = begun(tmp_path / "none", DREAM)
    with pytest.raises(UserError, match="no checkpoint yet"), begun(tmp_path / "more", COLDER) as more:
        vmc.train(more, COLDER, Blinking, EnvironmentConfig(), begin_with=run.directory)


@pytest.mark.parametrize(
    ("config", "seed", "words"),
    [
        (replace(COLDER, frames=99), 0, "frames 100, and here it is 99"),
        (replace(COLDER, latents=4), 0, "latents 3, and here it is 4"),
        (COLDER, 1, "its seed is 0, and here it is 1"),
        (replace(COLDER, iterations=2, frames=50), 0, "several iterations"),
    ],
)
def test_a_source_of_another_kind_is_refused(
    config: vmc.Config, seed: int, words: str, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        train(tmp_path / "run", config, begin_with=source, seed=seed)


def test_a_source_that_diverged_or_is_damaged_is_refused(tmp_path: Path) -> None:
    run = train(tmp_path / "run", DREAM, until="memory")
    (folder, *_) = checkpoints.listed(run.directory / "checkpoints")
    there = checkpoints.load(folder)
    name = "learner.0.model.world.memory.head.bias"
    parts = {part: dict(arrays) for part, arrays in there.parts.items()}
    parts["state"][name] = np.full_like(parts["state"][name], np.nan)
    about = {key: value for key, value in there.about.items() if key not in ("format", "step", "files")}
    checkpoints.save(run.directory / "checkpoints", there.about["step"], parts, about)
    with pytest.raises(UserError, match=rf"{name} is not finite"):
        train(tmp_path / "other", COLDER, begin_with=run.directory)
    (folder, *_) = checkpoints.listed(run.directory / "checkpoints")
    (folder / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"is damaged.*reverie resume"):
        train(tmp_path / "another", COLDER, begin_with=run.directory)


class Failing(durable.LocalDisk):
    """Full at the k-th operation."""

    def __init__(self, k: int) -> None:
        self._left = k

    def __getattribute__(self, name: str) -> Any:
        if name in ("write", "append", "sync", "rename", "link", "make_folder", "remove", "cut"):
            self._left -= 1
            if self._left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().__getattribute__(name)


def test_where_the_disk_is_full_meanwhile_the_same_line_works_again(source: Path, tmp_path: Path) -> None:
    expected = final(train(tmp_path / "alone", COLDER))
    for k in (1, 12, 25, 31, 37, 45):
        run = begun(tmp_path / f"run{k}", COLDER)
        with durable.using(Failing(k)), pytest.raises(UserError, match="disk is full"), run:
            vmc.train(run, COLDER, Blinking, EnvironmentConfig(), begin_with=source, until="memory")
    for k in (25, 37):
        assert final(train(tmp_path / f"run{k}", COLDER, begin_with=source)) == expected
