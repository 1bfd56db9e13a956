"""The four stages of World Models as one run: wherever it is stopped, and whatever is skipped, lost or fails."""

import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from methods.staged import CONFIG, DREAM, EXPERIENCE, Blinking, begun, final, lines, train, updates

from reverie import api
from reverie.envs.config import EnvironmentConfig
from reverie.errors import UserError
from reverie.methods import vmc
from reverie.run.run import Run


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


def test_every_stage_is_announced_and_saved_when_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stage has done is not done again, however seldom a run saves otherwise."""
    notes: list[str] = []
    saved: list[int] = []
    save = Run.save
    monkeypatch.setattr(Run, "note", lambda run, message: notes.append(message))
    keeping = lambda run, step, state, counters, *rest, **more: (
        saved.append(counters["over"]) or save(run, step, state, counters, *rest, **more)
    )
    monkeypatch.setattr(Run, "save", keeping)
    train(tmp_path / "run", DREAM)
    assert [note.partition(":")[0] for note in notes if note.startswith("stage")] == [
        "stage 1 of 4, collect", "stage 2 of 4, vision", "stage 3 of 4, memory", "stage 4 of 4, evolution",
    ]  # fmt: skip
    assert "100 frames" in notes[0]
    assert "3 generations of 4 candidates, 1 episodes each, 13 parameters" in notes[-1]
    assert [over for over in (1, 2, 3, 4) if over in saved] == [1, 2, 3, 4]


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


def test_in_dreams_that_pay_c_learns_what_pays_in_the_world(tmp_path: Path) -> None:
    """The middle choice is worth 1, the others nothing; M has seen that at random, and C never was in the world."""
    config = replace(
        DREAM, rewards=True, frames=400, memory_epochs=60.0, memory_rate=1e-2, generations=12, population=8, rollouts=4,
        limit=5, experience=replace(EXPERIENCE, capacity=400),
    )  # fmt: skip
    run = train(tmp_path / "run", config)
    assert updates(run, "memory")[-1]["loss/reward"] < 0.5 * (1 / 3) * (2 / 3) / 2
    agent = api.load(run.directory, environment=Blinking)
    assert agent.evaluate(4).mean == 5
    view = agent.trained.model.imagine(agent.trained.model.initial(), jnp.asarray([0.0, 1.0, 0.0]), key=jr.key(0))
    np.testing.assert_allclose(agent.trained.heads["reward"](view), view.reward)


def test_iterations_collect_again_with_what_was_learned(tmp_path: Path) -> None:
    config = replace(DREAM, rewards=True, iterations=2, frames=50)
    whole = train(tmp_path / "whole", config)
    stages = [next(name for name in line if name.startswith("done/")) for line in lines(whole) if "done/vision" in line
              or "done/memory" in line or "done/evolution" in line]  # fmt: skip
    order = [stage for at, stage in enumerate(stages) if not at or stages[at - 1] != stage]
    assert order == ["done/vision", "done/memory", "done/evolution"] * 2
    assert max(line["step"] for line in lines(whole)) > 50
    halves = [[line["done/memory"] for line in updates(whole, "memory")]]
    assert len(halves[0]) == 4 * (50 // 2 // 6) + 4 * (100 // 2 // 6), "M learns from all that was seen"
    for after in (30, 25, 20, 3):
        train(tmp_path / "broken", config, stop_after=after)
    assert final(train(tmp_path / "broken", config)) == final(whole)


def test_c_itself_collects_the_second_time(tmp_path: Path) -> None:
    """Random play meets the middle choice once in three times, C nearly always."""
    config = replace(
        DREAM, rewards=True, iterations=2, frames=400, memory_epochs=60.0, memory_rate=1e-2, generations=6,
        population=8, rollouts=4, limit=5, experience=replace(EXPERIENCE, capacity=800),
    )  # fmt: skip
    run = train(tmp_path / "run", config)
    returns = [(line["step"], line["episode/return"]) for line in lines(run) if "episode/return" in line]
    first = [score for step, score in returns if step < 320]
    second = [score for step, score in returns if step > 360]
    assert np.mean(first) < 2.5
    assert np.mean(second) > 3.5


def test_a_run_is_scored_in_its_own_dreams(tmp_path: Path) -> None:
    """The same dice are the same dreams; at any temperature; of a model that cannot say what they are worth, none."""
    agent = api.load(train(tmp_path / "run", DREAM).directory, environment=Blinking)
    result = agent.dreamed(6)
    assert result.returns == agent.dreamed(6).returns == tuple(map(float, result.lengths))
    assert agent.dreamed(6, seed=1).returns != result.returns or result.std == 0
    noted = api.evaluate(agent, 4, seeds=(0, 1), dream=True, temperature=0.5)
    assert noted.n == 8
    assert Run.open(agent.run).metrics()[-1]["dreamed/mean"] == noted.mean
    with pytest.raises(UserError, match="only dreams have a temperature"):
        api.evaluate(agent, 1, temperature=0.5)
    world = api.load(train(tmp_path / "world", CONFIG, until="memory").directory, environment=Blinking)
    with pytest.raises(UserError, match="says what a dream is worth"):
        world.dreamed(1)
