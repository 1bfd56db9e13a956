"""What is passed on of a run acts and dreams as the run does, but for the rounding; and does not go on learning."""

from pathlib import Path

import numpy as np
import pytest
from methods.staged import DREAM, Blinking, train

from reverie import api
from reverie.data import tensors
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.errors import UserError
from reverie.run import exported
from reverie.run.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = train(tmp_path_factory.mktemp("source") / "run", DREAM).directory
    api.evaluate(api.load(folder, environment=Blinking), 3)
    return folder


@pytest.fixture(scope="module")
def passed(run: Path) -> Path:
    return api.export(run, run.parent / "weights" / "small", environment=Blinking)


def test_it_acts_and_dreams_like_the_run(run: Path, passed: Path) -> None:
    whole, small = (api.load(folder, environment=Blinking) for folder in (run, passed))
    whole_bias, small_bias = (agent.trained.model.memory.head.bias for agent in (whole, small))
    np.testing.assert_allclose(whole_bias, small_bias, rtol=1e-3, atol=1e-6)
    assert small_bias.dtype == np.float32
    assert not np.array_equal(whole_bias, small_bias), "in half precision"
    assert small.evaluate(2).n == 2
    assert small.dreamed(3).n == 3
    dream = api.dream(passed, environment=Blinking)
    assert dream.reset(seed=0)[0].shape == (64, 64, 3)
    assert dream.step(1)[1] == 1.0


def test_it_is_small_and_says_what_it_is(run: Path, passed: Path) -> None:
    (weights,) = passed.glob("*.safetensors")
    arrays = tensors.unpack(tensors.map_file(weights))
    assert {values.dtype for values in arrays.values()} == {np.dtype(np.float16)}
    card = (passed / "README.md").read_text()
    score = Run.open(run).metrics()[-1]
    assert f"{score['evaluation/mean']:.1f}" in card
    assert "vmc in " in card
    files = sorted(path.relative_to(passed).as_posix() for path in passed.rglob("*") if path.is_file())
    expected = ["README.md", "manifest.json", "replay/00000000000000.safetensors", "replay/chunks.jsonl"]
    expected += [exported.FILE, exported.WORLD]
    assert files == sorted(expected)


def test_nothing_is_written_into_it(passed: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in passed.rglob("*"))
    api.evaluate(api.load(passed, environment=Blinking), 2)
    with pytest.raises(UserError, match="cannot go on"), Run.open(passed):
        pass
    assert before == sorted((path, path.stat().st_mtime_ns) for path in passed.rglob("*"))


def test_a_number_too_large_for_half_precision_keeps_its_own(tmp_path: Path) -> None:
    weights = {"large": np.array([1e6], np.float32), "count": np.array(3)}
    about = {"method": "vmc", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": 1, "budget": None}
    exported.write(tmp_path / "it", about, weights, make(Blinking), {"image": np.zeros((1, 2), np.uint8)}, [])
    assert exported.read(tmp_path / "it", weights)["large"] == 1e6


def test_what_is_there_already_stays(run: Path, passed: Path) -> None:
    with pytest.raises(UserError, match="is there already"):
        api.export(run, passed, environment=Blinking)


def test_a_damaged_one_is_explained(run: Path, tmp_path: Path) -> None:
    folder = api.export(run, tmp_path / "it", environment=Blinking)
    (folder / exported.FILE).write_bytes(b"torn")
    with pytest.raises(UserError, match=r"weights.safetensors is damaged"):
        api.load(folder, environment=Blinking)


def test_one_that_diverged_is_refused(run: Path, tmp_path: Path) -> None:
    """A memory of NaNs never ends a dream, which would be a perfect score."""
    folder = api.export(run, tmp_path / "it", environment=Blinking)
    arrays = tensors.unpack(tensors.map_file(folder / exported.FILE))
    broken = {name: np.full_like(it, np.nan) if name.endswith("head.bias") else it for name, it in arrays.items()}
    (folder / exported.FILE).write_bytes(b"".join(bytes(part) for part in tensors.pack(broken)))
    with pytest.raises(UserError, match=r"weights.safetensors is damaged: .*head.bias is not finite"):
        api.load(folder, environment=Blinking)


def test_it_dreams_where_its_world_is_not_installed(passed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise UserError("it needs a suite that is not here: pip install it", code=78)

    with monkeypatch.context() as here:
        here.setattr(exported, "make", missing)
        dream = api.dream(passed, environment=Blinking)
        shown = dream.reset(seed=3)[0]
        assert api.evaluate(api.load(passed, environment=Blinking), 2, dream=True).n == 2
        (passed / exported.WORLD).rename(passed / "away")
        with pytest.raises(UserError, match="pip install it"):
            api.dream(passed, environment=Blinking)
        (passed / "away").rename(passed / exported.WORLD)
    np.testing.assert_array_equal(shown, api.dream(passed, environment=Blinking).reset(seed=3)[0])


def test_a_damaged_memory_of_the_world_is_explained(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = api.export(run, tmp_path / "it", environment=Blinking)
    (folder / exported.WORLD).write_text("[")

    def missing(*_: object) -> None:
        raise UserError("not here", code=78)

    monkeypatch.setattr(exported, "make", missing)
    with pytest.raises(UserError, match=r"world.json is damaged"):
        exported.conversions(folder, Blinking, EnvironmentConfig())
