"""The four stages of World Models as one run: wherever it is stopped, and whatever is skipped, lost or fails."""

import json
import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import jax.numpy as jnp
import numpy as np
import pytest

from reverie import api
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.methods import vmc
from reverie.run import checkpoints
from reverie.run.experience import ExperienceConfig
from reverie.run.run import Run

EXPERIENCE = ExperienceConfig(environments=2, train_ratio=0.0, capacity=100, gibibytes=1.0)
CONFIG = vmc.Config(
    latents=3, units=5, depth=1, vision_batch=4, vision_epochs=1.0, memory_epochs=4.0, memory_batch=2, memory_length=6,
    frames=100, population=4, rollouts=1, generations=3, evaluate_every=2, evaluation=2, limit=20,
    experience=EXPERIENCE,
)  # fmt: skip
DREAM = replace(CONFIG, dream=True)


class Blinking(gymnasium.Env[np.ndarray, np.int64]):
    """One colour after another; the middle choice pays."""

    observation_space = gymnasium.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(3)
    length = 5

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.time = 0
        return self._see(), {}

    def step(self, action: Any) -> Any:
        self.time += 1
        return self._see(), float(action == 1), False, self.time >= self.length, {}

    def _see(self) -> np.ndarray:
        return np.full((64, 64, 3), self.np_random.integers(256), np.uint8)


class Endless(Blinking):
    length = 10**9


class Jammed(Blinking):
    """Raises at some step of all that are made in this process."""

    made, at = 0, (120,)

    def step(self, action: Any) -> Any:
        type(self).made += 1
        if self.made in self.at:
            raise RuntimeError("the gears are jammed")
        return super().step(action)


def begun(folder: Path, config: vmc.Config = CONFIG, world: Any = Blinking) -> Run:
    return api.start(
        "vmc", world, size="nano", config=config, options=EnvironmentConfig(), steps=None, budget=None, seed=0,
        run=folder, new=False, save_every=1e6,
    )  # fmt: skip


def train(folder: Path, config: vmc.Config = CONFIG, world: Any = Blinking, stop_after: int = 0) -> Run:
    """To its end, or until so many lines were logged since."""
    run = begun(folder, config, world)
    logged, log = [], run.log

    def noting(step: int, **scalars: Any) -> None:
        log(step, **scalars)
        logged.append(step)
        if len(logged) == stop_after:
            run.ask_to_stop(signal.SIGTERM)

    run.log = noting
    with run:
        vmc.train(run, config, world, EnvironmentConfig())
    assert bool(run.stop) == bool(stop_after)
    return run


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]


def updates(run: Run, stage: str) -> list[dict[str, Any]]:
    return [line for line in lines(run) if f"done/{stage}" in line]


def final(run: Run) -> dict[str, bytes]:
    """Every array of the last checkpoint."""
    parts = checkpoints.load(checkpoints.listed(run.directory / "checkpoints")[0]).parts
    return {f"{part}/{name}": array.tobytes() for part, arrays in parts.items() for name, array in arrays.items()}


@pytest.fixture(autouse=True)
def quiet() -> Any:
    logging.getLogger("reverie").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("reverie").setLevel(logging.NOTSET)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of V's updates in four is not finite, by its batch alone."""
    whole = vmc.update

    def update(learner: Any, batch: Any, config: Any) -> Any:
        after, (products, metrics) = whole(learner, batch, config)
        if isinstance(batch, vmc.Frames):
            metrics |= {"loss": jnp.where(batch.pixels[0, 0, 0, 0] % 4 == 0, jnp.nan, metrics["loss"])}
        return after, (products, metrics)

    monkeypatch.setattr(vmc, "update", update)


@pytest.mark.parametrize("config", [CONFIG, DREAM], ids=["world", "dream"])
def test_stopped_in_any_stage_it_ends_as_if_unbroken(config: vmc.Config, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", config)
    assert len(updates(whole, "vision")) == config.vision_updates == 25
    assert len(updates(whole, "memory")) == 4 * (100 // 2 // 6)
    assert len(updates(whole, "evolution")) == 3 + 2
    episodes = sum("episode/return" in line for line in lines(whole))
    for after in (episodes // 2, 10, 20, 2):  # in the first, then so many lines later, in the second, third and fourth
        train(tmp_path / "broken", config, stop_after=after)
    assert final(train(tmp_path / "broken", config)) == final(whole)


@pytest.mark.usefixtures("poisoned")
def test_skipped_updates_count_as_made(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    assert updates(whole, "vision")[-1]["skipped"] > 2
    assert (len(updates(whole, "vision")), len(updates(whole, "memory"))) == (25, 32)
    train(tmp_path / "broken", stop_after=40)
    train(tmp_path / "broken", stop_after=20)
    assert final(train(tmp_path / "broken")) == final(whole)


def test_ten_in_a_row_leave_what_computes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = vmc.memory_losses

    def broken(*given: Any, **named: Any) -> Any:
        losses, carry = whole(*given, **named)
        return {name: loss * jnp.nan for name, loss in losses.items()}, carry

    monkeypatch.setattr(vmc, "memory_losses", broken)
    config = replace(CONFIG, memory_rate=2e-3)  # one that nothing was compiled for
    with pytest.raises(UserError, match=r"10 updates in a row .*runs replay") as caught:
        train(tmp_path / "run", config)
    assert caught.value.code == 70
    (folder,) = (tmp_path / "run" / "failures").iterdir()
    monkeypatch.undo()
    monkeypatch.setattr(api, "named", lambda environment, where: Blinking)
    metrics = api.replay_failure(folder)
    assert np.isfinite(metrics["loss/latent"]), "computed again, without what broke it"


def test_what_was_lost_is_not_collected_again_once_learning_has_begun(tmp_path: Path) -> None:
    run = train(tmp_path / "run", DREAM, stop_after=20 + 40)
    before = len(updates(run, "vision"))
    assert before > 0
    for chunk in (run.directory / "replay").glob("*.safetensors"):
        chunk.write_bytes(b"lost")
    after = train(tmp_path / "run", DREAM)
    assert len(updates(after, "vision")) == 25
    assert len(updates(after, "evolution")) == 5


def test_dreams_begin_somewhere_though_no_beginning_is_left(tmp_path: Path) -> None:
    """Two rows began an episode; they are lost, and the others are not."""
    small = replace(DREAM, frames=60)
    run = begun(tmp_path / "run", small, Endless)
    collected = run.finished

    def stopping(step: int) -> bool:
        if step == 20:
            run.ask_to_stop(signal.SIGTERM)
        return collected(step)

    run.finished = stopping
    with run:
        vmc.train(run, small, Endless, EnvironmentConfig())
    (first,) = (run.directory / "replay").glob("*.safetensors")
    first.write_bytes(b"lost")
    after = train(tmp_path / "run", small, Endless)
    assert len(updates(after, "evolution")) == 5


def test_an_environment_that_raises_costs_its_candidate_another_try(tmp_path: Path) -> None:
    Jammed.made, Jammed.at = 0, (120,)
    run = train(tmp_path / "run", world=Jammed)
    assert len(updates(run, "evolution")) == 5
    assert Jammed.made > 120


def test_one_that_goes_on_raising_ends_the_run_with_its_own_traceback(tmp_path: Path) -> None:
    Jammed.made, Jammed.at = 0, range(120, 10**6)
    with pytest.raises(UserError, match=r"(?s)Jammed failed 3 times on end.*the gears are jammed") as caught:
        train(tmp_path / "run", world=Jammed)
    assert caught.value.code == 70


def test_a_replay_that_cannot_hold_the_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="keeps 100 of 101 frames"):
        train(tmp_path / "run", replace(CONFIG, frames=101))
