import io

import numpy as np
import pytest
from PIL import Image

from reverie.envs.config import EnvironmentConfig
from reverie.evaluate import media as module
from reverie.evaluate import plots
from reverie.evaluate.media import dream_of, media, write_film
from reverie.evaluate.returns import record

SHORT = EnvironmentConfig(time_limit=12)
METRICS = [{"step": 10 * n, "episode/return": float(n)} for n in range(1, 20)]


def test_a_run_gets_its_pictures(tmp_path, balancer):
    for needed in ("pygame", "matplotlib"):
        pytest.importorskip(needed)
    result = media(tmp_path, balancer, "CartPole-v1", SHORT, title="a run", metrics=METRICS)
    assert result.missing == []
    names = {path.name for path in result.files}
    assert names >= {"learning_curve.png", "agent.webp", "dream.webp", "dream_error.png"}
    assert all(path.parent == tmp_path / "media" and path.stat().st_size > 500 for path in result.files)
    assert sorted(names) == sorted(path.name for path in (tmp_path / "media").iterdir())
    with Image.open(tmp_path / "media" / "dream.webp") as dream:
        assert dream.n_frames == 13


def test_what_cannot_be_shown_is_named_and_the_rest_is_there(tmp_path, gambler, lasting, monkeypatch):
    monkeypatch.setattr(plots.importlib.util, "find_spec", lambda name: None)
    result = media(tmp_path, gambler, lasting, EnvironmentConfig(), title="t", metrics=METRICS)
    assert [path.name for path in result.files] == ["agent.webp"]
    assert [text.partition(":")[0] for text in result.missing] == ["learning curve", "dream"]
    assert 'pip install ".[plots]"' in result.missing[0]
    assert "no decoder" in result.missing[1]


@pytest.mark.filterwarnings("ignore:.*not in the possible render_modes")
def test_a_world_that_renders_nothing_still_dreams(tmp_path, idler):
    pytest.importorskip("matplotlib")
    result = media(tmp_path, idler, "reverie/Delay-v0", EnvironmentConfig(), title="t", metrics=METRICS)
    assert "dream.webp" in {path.name for path in result.files}
    assert [text.partition(":")[0] for text in result.missing] == ["agent film"]


def test_the_agents_film_counts_its_return(balancer):
    pytest.importorskip("pygame")
    recording = record(balancer, "CartPole-v1", SHORT)
    frames, fps = module._agent_film(recording, recording.frames, "t")
    assert fps == 25.0  # 50 a second, every other one
    assert len(frames) == 7


def test_a_quarter_is_watched(balancer):
    dream = dream_of(balancer, record(balancer, "CartPole-v1", render=False))
    assert (dream.context, dream.rows) == (32, 128)
    short = dream_of(balancer, record(balancer, "CartPole-v1", rows=3, render=False))
    assert (short.context, short.rows) == (1, 3)


def test_films_are_what_they_are_called(tmp_path):
    files = write_film(tmp_path, "film", np.zeros((2, 4, 4, 3), np.uint8), 10.0)
    assert Image.open(io.BytesIO(files[0].read_bytes())).format == "WEBP"
