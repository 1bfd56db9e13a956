"""The Python interface: train, resume, load, evaluate, with an environment by name or as a class."""

import json
import operator
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import reverie
from reverie import api
from reverie.envs.config import EnvironmentConfig
from reverie.envs.dream import VectorDream
from reverie.errors import UserError
from reverie.evaluate.returns import Returns
from reverie.methods import dreamer3, vmc
from reverie.run import runs
from reverie.run.agent import Agent
from reverie.run.run import Run

MICRO = {
    "batch": 2, "length": 4, "horizon": 2, "units": 8, "config.depth": 1, "deter": 16, "hidden": 8, "stoch": 2,
    "classes": 4, "blocks": 2, "environments": 2, "train_ratio": 2, "dispatch": 1,
}  # fmt: skip


class Corridor(gymnasium.Env[Any, Any]):
    """Three steps to the right."""

    observation_space = gymnasium.spaces.Box(0, 1, (4,))
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = 0
        return np.zeros(4, np.float32), {}

    def step(self, action: Any) -> Any:
        self.place += int(action)
        return np.full(4, self.place / 3, np.float32), float(action), self.place == 3, False, {}


def play(agent: Any, world: Any) -> float:
    """The loop of a user."""
    observation, _ = world.reset(seed=0)
    agent.reset()
    total, over = 0.0, False
    while not over:
        observation, reward, terminated, truncated, _ = world.step(agent.act(observation))
        total, over = total + float(reward), terminated or truncated
    return total


def test_the_dream_of_a_run_is_an_environment(tmp_path: Path) -> None:
    folder = reverie.train("dreamer3", Corridor, steps=40, run=tmp_path / "run", **MICRO).run
    dream = reverie.dream(folder, environment=Corridor, limit=7)
    assert (dream.action_space, dream.observation_space.shape) == (gymnasium.spaces.Discrete(2), (4,))
    shown, _ = dream.reset(seed=3)
    rows = [dream.step(dream.action_space.sample()) for _ in range(7)]
    assert dream.observation_space.contains(rows[-1][0])
    assert rows[-1][2] or rows[-1][3]
    made = gymnasium.make("reverie/Dream-v0", run=folder, environment=Corridor)
    np.testing.assert_array_equal(made.reset(seed=3)[0], shown)
    with pytest.raises(UserError, match="at least 1, got 0"):
        reverie.dream(folder, environment=Corridor, count=0)
    side_by_side = gymnasium.make_vec("reverie/Dream-v0", num_envs=2, run=folder, environment=Corridor)
    assert isinstance(side_by_side, VectorDream)
    assert side_by_side.reset(seed=0)[0].shape == (2, 4)
    many = reverie.dream(folder, environment=Corridor, count=3)
    assert many.reset(seed=0)[0].shape == (3, 4)
    assert many.step(many.action_space.sample())[1].shape == (3,)
    with pytest.raises(UserError, match="no temperature"):
        reverie.dream(folder, environment=Corridor, temperature=1.0)
    shutil.rmtree(folder / "replay")
    with pytest.raises(UserError, match="keeps no experience"):
        reverie.dream(folder, environment=Corridor)


def test_train_load_act_resume(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    agent = reverie.train("dreamer3", Corridor, steps=40, run=folder, seed=5, **MICRO)
    assert agent.run == folder
    assert play(agent, Corridor()) == 3
    loaded = reverie.load(folder)
    observation = np.zeros(4, np.float32)
    for player in (agent, loaded):
        player.reset(seed=1)
    assert [agent.act(observation) for _ in range(5)] == [loaded.act(observation) for _ in range(5)]
    result = api.evaluate(loaded, 2, seeds=(0, 1))
    assert result.returns == (3.0,) * 4
    noted = Run.open(folder).metrics()[-1]
    assert (noted["evaluation/mean"], noted["step"]) == (3, loaded.step)
    assert loaded.step == runs.describe(folder)["steps"] >= 40
    before = len(Run.open(folder).metrics())
    assert reverie.resume(folder, steps=80).run == folder
    assert len(Run.open(folder).metrics()) > before


def test_a_score_that_cannot_be_noted_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog) -> None:
    """Hours of evaluation are not thrown away because the folder may not be written."""
    Run.create(tmp_path / "run", {"seed": 0, "steps": 10})

    class Played(Agent):
        def __init__(self) -> None:
            self.run, self.step = tmp_path / "run", 10

        def evaluate(self, episodes: int = 100, *, seed: int = 0) -> Returns:
            return Returns((1.0,) * episodes, (5,) * episodes, episodes, (1.0, 1.0))

    def refused(self: Run, step: int, **scalars: float) -> None:
        raise UserError("Cannot write: Read-only file system.", code=74)

    monkeypatch.setattr(Run, "evaluated", refused)
    assert api.evaluate(Played(), 3).mean == 1.0
    assert "the score is not noted. Cannot write: Read-only" in caplog.text


def test_a_score_of_a_run_that_was_moved_is_given(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Played(Agent):
        def __init__(self) -> None:
            self.run, self.step = tmp_path / "gone", 10

        def evaluate(self, episodes: int = 100, *, seed: int = 0) -> Returns:
            return Returns((1.0,) * episodes, (5,) * episodes, episodes, (1.0, 1.0))

    assert api.evaluate(Played(), 3).mean == 1.0
    assert "the score is not noted" in caplog.text


@pytest.mark.parametrize("name", ["method", "environment", "environment_config", "config"])
def test_a_manifest_that_says_too_little_is_explained(name: str, tmp_path: Path) -> None:
    run = start(tmp_path / "run")
    about = {key: value for key, value in run.manifest.items() if key not in (name, "blake2b")}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=f"does not say '{name}'. Restore it") as caught:
        api.work(api.again(tmp_path / "run"))
    assert caught.value.code == 64


def test_a_class_without_a_name_is_given_again(tmp_path: Path) -> None:
    class Local(Corridor):
        pass

    reverie.train("dreamer3", Local, steps=20, run=tmp_path / "run", **MICRO)
    with pytest.raises(UserError, match="Local"):
        reverie.load(tmp_path / "run")
    assert play(reverie.load(tmp_path / "run", environment=Local), Local()) == 3


@pytest.mark.parametrize("name", ["unknown_module:Room", "os:abort", "sys:exit", "gymnasium:make"])
def test_a_file_does_not_choose_what_is_imported(name: str) -> None:
    with pytest.raises(UserError, match=f"names '{name}', and a file does not choose which module is imported"):
        api.named(name, "the run")


@pytest.mark.parametrize("name", ["CartPole-v1", "gymnasium:Env", api.name_of(Corridor)])
def test_what_is_imported_anyhow_may_be_named(name: str) -> None:
    assert api.named(name, "the run") == name


def test_the_agent_of_another_world_is_refused() -> None:
    for world in ("CartPole-v1", "Pendulum-v1"):
        with pytest.raises(UserError, match=f"{world} is not the world of this run, and not like it"):
            reverie.load("weights/doom", environment=world)


def test_overrides_find_their_place() -> None:
    config, options = api.overridden(
        dreamer3.SIZES["nano"],
        EnvironmentConfig(),
        {"train_ratio": 32, "pixels": True, "environment.size": 32, "rssm.deter": 64},
    )
    assert config.experience.train_ratio == 32.0
    assert config.rssm.deter == 64
    assert (options.pixels, options.size) == (True, 32)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"trian_ratio": 3}, "Did you mean train_ratio"),
        ({"environment.sise": 3}, "no setting 'environment.sise'. Did you mean size"),
        ({"horizon": "far"}, "is a int such as 15, got 'far'"),
    ],
)
def test_a_wrong_override_is_explained(overrides: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        reverie.train("dreamer3", "CartPole-v1", run=tmp_path / "run", **overrides)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("method", "size", "message"),
    [("dreamr3", "nano", "no method 'dreamr3'. Did you mean dreamer3"), ("dreamer3", "huge", "no size 'huge'")],
)
def test_a_wrong_method_or_size_is_explained(method: str, size: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        reverie.train(method, "CartPole-v1", size=size)


def start(folder: Path | None = None, *, new: bool = False, **settings: Any) -> Run:
    """A run that nobody trains, though something was measured in it."""
    config, options = api.overridden(dreamer3.SIZES["nano"], EnvironmentConfig(), settings)
    run = api.start(
        "dreamer3", "CartPole-v1", size="nano", config=config, options=options,
        steps=None, budget="10m", seed=0, run=folder, new=new,
    )  # fmt: skip
    (run.directory / "metrics.jsonl").touch()
    return run


def test_the_same_settings_find_their_folder_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "dreamer3-CartPole-v1-nano-seed0"
    assert start().directory == tmp_path / "runs" / name, "wherever one stands later"
    assert start().manifest["budget"] == 600
    with pytest.raises(UserError, match="horizon"):
        start(horizon=3)
    assert start(horizon=3, new=True).directory.name == f"{name}-2"
    assert start(horizon=3).directory.name == f"{name}-2"
    assert start().directory.name == name
    assert start(new=True).directory.name == f"{name}-3"
    assert start().directory.name == f"{name}-3"


def test_a_folder_that_was_named_is_that_folder(tmp_path: Path) -> None:
    assert start(tmp_path / "a").directory == tmp_path / "a"
    with pytest.raises(UserError, match="holds a run with other settings"):
        start(tmp_path / "a", horizon=3)
    assert start(tmp_path / "a", new=True).directory == tmp_path / "a-2"


def test_a_run_without_an_end_gets_one(tmp_path: Path) -> None:
    run = api.start(
        "dreamer3", "CartPole-v1", size="nano", config=dreamer3.SIZES["nano"], options=EnvironmentConfig(),
        steps=None, budget=None, seed=0, run=tmp_path / "a", new=False,
    )  # fmt: skip
    assert run.manifest["steps"] == api.DEFAULT_STEPS


def test_a_method_may_say_how_long_its_runs_are_and_how_it_sees_a_world(tmp_path: Path) -> None:
    run = api.start(
        "vmc", "reverie/Bandit-v0", size="nano", config=replace(vmc.Config(dream=True), frames=700),
        options=EnvironmentConfig(), steps=None, budget=None, seed=0, run=tmp_path / "a", new=False,
    )  # fmt: skip
    assert run.manifest["steps"] == 700


def test_jax_is_ready_before_a_method_computes_anything(tmp_path: Path) -> None:
    code = "from reverie import api; api.method('dreamer3'); import jax\n"
    code += "print(jax.config.jax_compilation_cache_dir)"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    fresh = kept | {"JAX_PLATFORMS": "cpu", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=fresh, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(tmp_path / "reverie" / "jax")]


def test_the_public_names_are_few_and_real() -> None:
    assert len(reverie.__all__) <= 40
    assert all(getattr(reverie, name) is not None for name in reverie.__all__)
    assert set(reverie.__all__) <= set(dir(reverie))
    with pytest.raises(AttributeError, match="it has AbstractPolicy"):
        operator.attrgetter("trian")(reverie)
