"""A run that is stopped anywhere goes on exactly; what is damaged falls back, loudly."""

import contextlib
import hashlib
import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from data.numbered import LENGTH, STREAMS, empty, fill, same
from jaxtyping import PyTree

from reverie.data import durable
from reverie.data.replay import Replay
from reverie.errors import UserError
from reverie.run import checkpoints, tree
from reverie.run import run as run_module
from reverie.run.lock import Lock
from reverie.run.run import Run

ABOUT = {"method": "m", "environment": "e", "size": "nano", "seed": 4, "config": {"a": {"b": 1}}, "steps": 100}


def state(value: float) -> PyTree:
    return {
        "parameters": {"w": jnp.full(3, float(value))},
        "key": jr.key(int(value)),
        "average": np.full(1, float(value)),
    }


def value_of(tree: PyTree) -> float:
    return float(tree["parameters"]["w"][0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def saved(folder: Path, *steps: int) -> Run:
    with Run.create(folder, ABOUT) as run:
        for step in steps:
            run.log(step, loss=step / 10)
            run.save(step, state(step), {"updates": step})
    return run


def test_a_run_goes_on_where_it_was_saved(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        assert run.restore(state(0)) is None
        run.log(10, loss=1.0)
        run.save(10, state(10), {"updates": np.int64(5), "pending": [1, 2]})
        run.log(20, loss=2.0)
    with Run.create(folder, ABOUT) as run:
        restored = run.restore(state(0))
        assert restored is not None
        assert value_of(restored[0]) == 10
        assert jr.key_data(restored[0]["key"]).tolist() == jr.key_data(jr.key(10)).tolist()
        assert restored[1] == {"updates": 5, "pending": [1, 2]}
        assert restored[2] == folder / "checkpoints" / "000000000010"
        assert [entry["step"] for entry in run.metrics()] == [10], "the log is cut back"
        assert run.step == 10
    restarts = [json.loads(line) for line in (folder / "restarts.jsonl").read_text().splitlines()]
    assert [(entry["step"], entry["checkpoint"]) for entry in restarts] == [(10, "000000000010")]


def test_a_run_without_a_checkpoint_begins_anew(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        run.log(10, loss=1.0)
        replay = fill(empty(), range(20))
        replay.seal(folder / "replay")
    with Run.open(folder) as run:
        assert run.restore(state(0)) is None
        assert run.metrics() == []
        assert not (folder / "replay").exists()


def test_run_time_adds_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    with Run.create(folder, ABOUT) as run:
        clock[0] += 30
        run.save(10, state(10), {})
        clock[0] += 500
        assert run.seconds == 530
    clock[0] += 10_000
    with Run.open(folder) as run:
        run.restore(state(0))
        clock[0] += 5
        assert run.seconds == 35
        run.log(11)
    clock[0] += 1000
    assert run.seconds == 35
    assert run.metrics()[-1] == {"step": 11, "seconds": 35}


def test_a_budget_of_steps(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        assert not run.finished(99)
        assert run.finished(100)
    assert not Run.create(folder, ABOUT | {"steps": 200}).finished(100)
    assert Run.open(folder).manifest["steps"] == 200


def test_a_budget_of_time_becomes_steps(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    about = ABOUT | {"steps": None, "budget": 60.0}
    with Run.create(folder, about) as run:
        assert not run.finished(70)
        run.log(70, loss=1.0)
        clock[0] += 61
        assert run.finished(77)
    with Run.create(folder, about) as run:
        assert run.manifest["steps"] == 77
        assert not run.finished(76)
        assert run.finished(77)
    with Run.create(folder, about | {"budget": 120.0}) as run:
        assert not run.finished(77)


def test_a_run_needs_an_end(folder: Path) -> None:
    with pytest.raises(UserError, match="--steps N or --budget"):
        Run.create(folder, ABOUT | {"steps": None})
    assert not folder.exists()


def test_other_settings_are_refused(folder: Path) -> None:
    saved(folder, 10)
    with pytest.raises(UserError, match=r"config\.a\.b: 1 there, 2 asked"):
        Run.create(folder, ABOUT | {"config": {"a": {"b": 2}}})


def test_a_run_that_nothing_was_measured_in_takes_other_settings(folder: Path) -> None:
    Run.create(folder, ABOUT)
    assert Run.create(folder, ABOUT | {"config": {"a": {"b": 2}}}).manifest["config"] == {"a": {"b": 2}}


def test_a_run_that_nothing_was_measured_in_keeps_its_end(folder: Path) -> None:
    """Killed while it was compiled, and begun again with the same short line."""
    Run.create(folder, ABOUT)
    (folder / "metrics.jsonl.bad").write_text("")  # what an earlier life may have left
    assert Run.create(folder, ABOUT | {"steps": None}).budget.steps == 100


def test_a_folder_with_other_files_is_no_place_for_a_run(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("")
    with pytest.raises(UserError, match=r"thesis\.txt is there.*--run"):
        Run.create(folder, ABOUT)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_nobody_saws_off_the_folder_he_sits_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(folder, 10)
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match="from within"):
        Run.create(".", ABOUT, new=True)


def test_a_wrong_end_is_not_written_down(folder: Path) -> None:
    with Run.create(folder, ABOUT | {"steps": None, "budget": 60.0}) as run:
        run.log(10, loss=1.0)
    with pytest.raises(UserError, match="--steps 1"):
        Run.create(folder, ABOUT | {"steps": -5})
    assert Run.open(folder).budget.seconds == 60


def test_a_run_with_an_end_in_steps_gets_no_other_in_time(folder: Path) -> None:
    saved(folder, 10)
    with pytest.raises(UserError, match="goes to 100 steps; give more of those"):
        Run.create(folder, ABOUT | {"steps": None, "budget": 60.0})


def test_a_time_that_is_over_before_the_first_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    with Run.create(folder, ABOUT | {"steps": None, "budget": 1.0}) as run:
        clock[0] += 61
        assert not run.finished(0)
        assert run.finished(8)


def test_every_checkpoint_of_one_step_is_kept_until_two_newer_ones_are_there(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        for number in range(6):
            assert run.save(10, state(number), {"updates": number}).exists()
    with Run.create(folder, ABOUT) as run:
        restored = run.restore(state(0))
        assert restored is not None
        assert value_of(restored[0]) == 5


def test_rows_whose_checkpoints_are_gone_are_kept(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Run.create(folder, ABOUT) as run:
        replay = empty()
        fill(replay, range(5))
        run.log(10, loss=1.0)
        run.save(10, state(1), {}, replay)
    durable.remove(folder / "checkpoints")
    with Run.create(folder, ABOUT) as run:
        assert run.restore(state(0), empty()) is None
    assert "begins again at step 0" in caplog.text
    assert list((folder / "replay.bad").glob("*.safetensors"))
    assert (folder / "metrics.jsonl.bad").read_text().count("\n") == 1


def test_a_file_where_a_folder_belongs(folder: Path) -> None:
    Run.create(folder, ABOUT)
    (folder / "checkpoints").write_text("")
    with pytest.raises(UserError, match="checkpoints is a file"), Run.open(folder):
        pass


def forged(folder: Path, **changes: Any) -> None:
    """Change what the newest checkpoint says of itself, and sign it again; None takes an entry out."""
    path = checkpoints.listed(folder / "checkpoints")[0] / "manifest.json"
    about = {name: it for name, it in (json.loads(path.read_text()) | changes).items() if it is not None}
    about.pop("blake2b")
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=32).hexdigest()
    path.write_text(json.dumps(about | {"blake2b": digest}))


@pytest.mark.parametrize(
    "changes",
    [
        {"counters": None}, {"counters": 3}, {"log": None}, {"log": "x"}, {"log": -5}, {"due": 5},
        {"due": {"log": "x"}}, {"seconds": "long"}, {"step": "many"}, {"inserted": "x"}, {"files": {}},
    ],
    ids=str,
)  # fmt: skip
def test_a_signed_checkpoint_of_something_else_is_set_aside(folder: Path, changes: dict[str, Any]) -> None:
    saved(folder, 10, 20)
    forged(folder, **changes)
    with Run.create(folder, ABOUT) as run:
        restored = run.restore(state(0))
        assert restored is not None
        assert value_of(restored[0]) == 10


def test_a_checkpoint_that_is_not_finite_is_refused(folder: Path) -> None:
    saved(folder, 10, 20)
    newest = checkpoints.listed(folder / "checkpoints")[0]
    about = checkpoints.read_manifest(newest)
    durable.remove(newest)
    arrays = tree.to_arrays(state(20) | {"average": np.full(1, np.nan)})
    checkpoints.save(
        folder / "checkpoints", 20, {"state": arrays}, {name: about[name] for name in about if name != "files"}
    )
    assert value_of({"parameters": Run.open(folder).weights({"w": jnp.zeros(3)})}) == 10


def test_new_sets_the_old_run_aside(folder: Path) -> None:
    saved(folder, 10)
    for seed in (5, 6):
        assert Run.create(folder, ABOUT | {"seed": seed}, new=True).metrics() == []
    assert [Run.open(folder.with_name(f"run{end}")).seed for end in ("", "-old", "-old-2")] == [6, 4, 5]
    assert len(Run.open(folder.with_name("run-old")).metrics()) == 1


def test_what_is_due(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    with Run.create(folder, ABOUT | {"every": {"log": 10, "checkpoint": 30}}) as run:
        assert [step for step in range(0, 40, 4) if run.due("log", step)] == [12, 20, 32]
        assert not run.due("evaluate", 10**9)
        run.finished(50)
        assert run.due("log")
        assert not run.due("checkpoint")
        clock[0] += 30
        assert run.due("checkpoint")
        run.save(50, state(1), {})
        assert not run.due("checkpoint")
        with pytest.raises(ValueError, match="'lunch' is not one of"):
            run.due("lunch")
    with Run.open(folder) as run:
        run.restore(state(0))
        assert not run.due("log", 59)
        assert run.due("log", 60)


def test_saving_takes_a_tenth_of_the_time_at_most(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(run_module.time, "monotonic", lambda: clock[0])
    with Run.create(folder, ABOUT) as run:
        whole = durable.commit_folder
        monkeypatch.setattr(durable, "commit_folder", lambda *given: (whole(*given), clock.append(clock.pop() + 20)))
        run.save(10, state(1), {})
        clock[0] += 199
        assert not run.due("checkpoint")
        clock[0] += 1
        assert run.due("checkpoint")


def test_a_signal_makes_a_checkpoint_due_and_then_stops(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        run.finished(10)
        os.kill(os.getpid(), signal.SIGTERM)
        end = time.monotonic() + 10
        while not run.due("checkpoint") and time.monotonic() < end:
            assert run.stop == 0, "stop is set where the checkpoint is made due"
            time.sleep(0.01)
        assert run.stop == signal.SIGTERM
    assert run.stop == signal.SIGTERM
    with run:
        assert run.stop == 0


def test_only_the_holder_writes(folder: Path) -> None:
    run = Run.create(folder, ABOUT)
    for attempt in (lambda: run.log(1), lambda: run.save(1, state(1), {}), lambda: run.restore(state(0))):
        with pytest.raises(ValueError, match="with run:"):
            attempt()
    with run, pytest.raises(UserError, match="in use by pid"), Run.open(folder):
        pass
    with run:
        assert not run.finished(1), "the lock is free again"


def test_the_newest_two_checkpoints_are_kept(folder: Path) -> None:
    saved(folder, 10, 20, 30)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["000000000020", "000000000030"]


def test_saving_twice_what_is_the_same_saves_once(folder: Path) -> None:
    with Run.create(folder, ABOUT) as run:
        assert run.save(10, state(10), {}) == run.save(10, state(10), {})
        run.log(10, score=1)
        assert run.save(10, state(10), {}).name == "000000000010-1"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_falls_back_to_the_older(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    saved(folder, 10, 20)
    flip(folder / "checkpoints" / "000000000020" / "state.safetensors")
    assert value_of({"parameters": Run.open(folder).weights(state(0)["parameters"])}) == 10
    assert (folder / "checkpoints" / "000000000020").exists(), "a reader changes nothing"
    with caplog.at_level(logging.WARNING), Run.open(folder) as run:
        restored = run.restore(state(0))
        assert restored is not None
        assert value_of(restored[0]) == 10
        assert [entry["step"] for entry in run.metrics()] == [10]
        run.save(20, state(21), {})
    assert "checkpoint 000000000020 cannot be used: state.safetensors does not match its checksum" in caplog.text
    assert (folder / "checkpoints" / "000000000020.bad").exists()
    assert value_of({"parameters": Run.open(folder).weights(state(0)["parameters"])}) == 21


def test_without_a_good_checkpoint_nothing_is_touched(folder: Path) -> None:
    saved(folder, 10, 20)
    for name in ("000000000010", "000000000020"):
        flip(folder / "checkpoints" / name / "manifest.json")
    for _ in range(2):
        with Run.open(folder) as run, pytest.raises(UserError, match="None of the 2 checkpoints") as refusal:
            run.restore(state(0))
        assert refusal.value.code == 64


def test_numbers_that_are_not_finite_are_not_saved(folder: Path) -> None:
    saved(folder, 10)
    with Run.open(folder) as run, pytest.raises(UserError, match=r"'parameters\.w' is no longer finite") as refusal:
        run.save(20, state(1) | {"parameters": {"w": jnp.array([1.0, jnp.nan, 1.0])}}, {})
    assert refusal.value.code == 70
    assert value_of({"parameters": Run.open(folder).weights(state(0)["parameters"])}) == 10


def test_weights_alone(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no checkpoint yet.*reverie resume"):
        Run.create(folder, ABOUT).weights(state(0)["parameters"])
    saved(folder, 10)
    run = Run.open(folder)
    assert run.weights({"w": jnp.zeros(3)})["w"].tolist() == [10.0] * 3
    with pytest.raises(UserError, match="lacks 'w'"):
        run.weights({"w": jnp.zeros(3)}, under="nowhere")


def test_progress_hears_of_everything_logged(folder: Path) -> None:
    heard: list[tuple[int, dict[str, Any]]] = []
    with Run.create(folder, ABOUT) as run:
        run.progress = lambda step, scalars: heard.append((step, dict(scalars)))
        run.log(3, loss=0.5)
        run.finished(4)
        time.sleep(0.25)
        run.finished(5)
    assert heard == [(3, {"loss": 0.5}), (5, {})]


def test_evaluations_survive_going_back(folder: Path) -> None:
    run = saved(folder, 10)
    run.evaluated(10, **{"evaluation/mean": 3.0})
    with run:
        run.restore(state(0))
    assert run.metrics()[-1] == {"step": 10, "evaluation/mean": 3.0}


def test_a_torn_log_line_and_unfinished_files_are_swept(folder: Path) -> None:
    run = saved(folder, 10)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 11')
    stray = folder / "checkpoints" / f"{durable.TEMPORARY}000000000020"
    stray.mkdir()
    with run:
        assert not stray.exists()
        run.log(12)
    assert [entry["step"] for entry in run.metrics()] == [10, 12]


# ------------------------------------------------------------------------------------------------------------ replay


def train(run: Run, until: int, save_at: tuple[int, ...]) -> Replay:
    """A trainer that only collects and draws: the sum of all it drew is its state."""
    replay, total, n = empty(capacity=120), state(0) | {"average": np.zeros(1)}, 0
    restored = run.restore(total, replay)
    if restored is not None:
        total, n = restored[0], restored[1]["batches"]
    for time_ in range(replay.inserted // STREAMS, until):
        fill(replay, range(time_, time_ + 1))
        if len(replay) >= 4:
            batch = replay.draw(n, 4, replay.inserted)
            stoch = {
                name: values + 1 if name == "stoch" else values for name, values in replay.latents(batch.ids).items()
            }
            replay.write_back(batch.ids, {**stoch, "stoch": stoch["stoch"].astype(np.uint8)})
            total = total | {"average": total["average"] + batch.sequence.reward.sum()}
            n += 1
            run.log(time_, drawn=float(total["average"][0]))
        if time_ + 1 in save_at:
            run.save(time_ + 1, total, {"batches": n}, replay)
    return replay


def test_an_interrupted_run_equals_an_unbroken_one(tmp_path: Path) -> None:
    about = ABOUT | {"steps": 1000}
    with Run.create(tmp_path / "unbroken", about) as run:
        unbroken = train(run, 150, ())
    for until, save_at in ((30, (20, 25)), (90, (26, 50, 80)), (150, (135,))):
        with Run.create(tmp_path / "broken", about) as again:
            broken = train(again, until, save_at)
    without_time = [[{**entry, "seconds": 0} for entry in each.metrics()] for each in (run, again)]
    assert without_time[0] == without_time[1]
    assert len(without_time[0]) > 140
    n = max(unbroken._taken)
    one, other = (replay.draw(n, 16, replay.inserted) for replay in (unbroken, broken))
    assert same(one, other)
    for name, values in unbroken.latents(one.ids).items():
        np.testing.assert_array_equal(values, broken.latents(one.ids)[name])


def test_chunks_stay_bounded_and_serve_both_checkpoints(tmp_path: Path) -> None:
    about = ABOUT | {"steps": 10_000}
    with Run.create(tmp_path, about) as run:
        train(run, 240, tuple(range(20, 241, 20)))
    rows = sum(
        int(chunk["end"]) - int(chunk["first"])
        for chunk in map(json.loads, (tmp_path / "replay" / "chunks.jsonl").read_text().splitlines())
    )
    assert rows <= 120 + STREAMS * (64 + 2 * 20)
    flip(sorted((tmp_path / "checkpoints").iterdir())[-1] / "replay.safetensors")
    with Run.open(tmp_path) as run:
        replay = empty(capacity=120)
        restored = run.restore(state(0), replay)
        assert restored is not None
        assert restored[2].name == "000000000220"
        assert replay.inserted == 220 * STREAMS
        assert len(replay) == STREAMS * (60 - LENGTH + 1)


def test_a_bad_chunk_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Run.create(tmp_path, ABOUT) as run:
        train(run, 40, (20, 40))
    flip(tmp_path / "replay" / f"{0:014d}.safetensors")
    with caplog.at_level(logging.WARNING), Run.open(tmp_path) as run:
        assert run.restore(state(0), empty(capacity=120)) is not None
    assert "40 rows" in caplog.text
    assert "40 rows" in (tmp_path / "restarts.jsonl").read_text()


def test_a_run_is_begun_by_one_process(folder: Path) -> None:
    """While another holds the folder, nothing is written into it."""
    folder.mkdir(exist_ok=True)
    with contextlib.closing(Lock(folder)), pytest.raises(UserError, match="in use") as caught:
        Run.create(folder, {"method": "m", "environment": "e", "seed": 0, "steps": 10})
    assert caught.value.code == 75
    assert not (folder / "manifest.json").exists()


def test_a_run_that_cannot_be_entered_is_not_held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.create(folder, {"method": "m", "environment": "e", "seed": 0, "steps": 10})

    def refuse(_: object) -> None:
        raise UserError("the disk is full", code=28)

    with monkeypatch.context() as patch:
        patch.setattr("reverie.run.log.Log.repair", refuse)
        with pytest.raises(UserError, match="full"):
            run.__enter__()
    with run:
        assert not run.finished(1)


def test_a_run_stays_where_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment may change the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with Run.create("run", ABOUT) as run:
        monkeypatch.chdir(tmp_path / "elsewhere")
        run.log(1, loss=0.5)
        run.save(1, state(1), {})
    assert (tmp_path / "run" / "metrics.jsonl").exists()
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["000000000001"]
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("what", ["log", "save", "end"])
def test_nothing_is_written_into_a_folder_that_was_moved(what: str, tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", ABOUT | {"steps": None, "budget": 1e-9}) as run:
        run.save(1, state(1), {})
        (tmp_path / "run").rename(tmp_path / "moved")
        with pytest.raises(UserError, match="was moved"):
            {
                "log": lambda: run.log(2, loss=1.0),
                "save": lambda: run.save(2, state(2), {}),
                "end": lambda: run.finished(2),
            }[what]()
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]


def test_a_stray_of_a_number_that_is_alive_again_is_swept(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", ABOUT) as run:
        run.save(1, state(1), {})
    stray = tmp_path / "run" / "checkpoints" / f"{durable.TEMPORARY}by-1-000000009999"
    stray.mkdir()
    with Run.open(tmp_path / "run"):
        assert not stray.exists()


def test_asking_to_stop_is_a_signal(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", ABOUT) as run:
        assert not run.finished(1)
        run.ask_to_stop(signal.SIGPIPE)
        assert run.due("checkpoint")
        assert run.stop == signal.SIGPIPE


def test_an_opened_run_stays_where_it_is_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    Run.create("run", ABOUT)
    with Run.open("run") as run:
        monkeypatch.chdir(tmp_path / "elsewhere")
        run.log(1, loss=0.5)
        run.evaluated(1, score=2.0)
    assert len(run.metrics()) == 2
    assert not list((tmp_path / "elsewhere").iterdir())


def test_whoever_was_quicker_decides_what_the_run_is(tmp_path: Path) -> None:
    """Until something is measured, another `create` may change it: then the first must not train under its name."""
    first = Run.create(tmp_path / "run", ABOUT)
    Run.create(tmp_path / "run", ABOUT | {"seed": 5})
    with pytest.raises(UserError, match="seed: 5 there, 4 asked"), first:
        pass
    with Run.create(tmp_path / "run", ABOUT | {"seed": 5}) as run:
        assert run.seed == 5


def test_an_end_that_was_moved_meanwhile_is_the_end(tmp_path: Path) -> None:
    first = Run.create(tmp_path / "run", ABOUT)
    Run.create(tmp_path / "run", ABOUT | {"steps": 200})
    with first:
        assert first.manifest["steps"] == 200


def test_a_signal_that_comes_late_is_not_lost(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", ABOUT) as run:
        assert run.finished(100)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
    assert run.stop == signal.SIGTERM


def test_settings_that_an_old_run_does_not_know_are_their_defaults(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", ABOUT).evaluated(1, score=1.0)
    now = ABOUT | {"config": {"a": {"b": 1}, "new": [1, 2]}}
    defaults = {"config": {"a": {"b": 7}, "new": (1, 2)}}
    assert Run.create(tmp_path / "run", now, defaults=defaults).manifest["config"] == {"a": {"b": 1}}
    with pytest.raises(UserError, match="new"):
        Run.create(tmp_path / "run", now)
    with pytest.raises(UserError, match="new"):
        Run.create(tmp_path / "run", ABOUT | {"config": {"a": {"b": 1}, "new": [3]}}, defaults=defaults)
