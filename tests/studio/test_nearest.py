"""Where nothing is decoded: the real frame whose state is nearest, and a map."""

import dataclasses

import jax.random as jr
import numpy as np
import pytest

from reverie.evaluate.film import DREAM
from reverie.run.stored import Stored
from reverie.studio import scenery as module
from reverie.studio.mind import Mind
from reverie.studio.nearest import SIDE, Nearest
from reverie.studio.scenery import Scenery
from reverie.studio.session import Session


def violet(picture: np.ndarray) -> np.ndarray:
    """Where the state is drawn: (x, y)."""
    wanted = [int(DREAM[place : place + 2], 16) for place in (1, 3, 5)]
    return np.argwhere((picture == wanted).all(axis=-1)).mean(axis=0)[::-1]


def rows(count: int = 50) -> np.ndarray:
    """A long axis, a short one, one that never moves, and one whose numbers are large."""
    dice = np.random.default_rng(0)
    return np.stack([dice.normal(0, 3, count), dice.normal(0, 1, count), np.full(count, 7.0), np.zeros(count)], axis=1)


def test_a_row_is_nearest_to_itself() -> None:
    latents = rows()
    nearest = Nearest(latents, [None] * 50, [str(place) for place in range(50)])
    for place in (0, 17, 49):
        assert nearest.find(latents[place]) == (place, 0)


def test_every_number_counts_by_how_much_it_varies() -> None:
    """A step of one deviation is as far along a number that is measured in thousands."""
    latents = rows() * [1000, 1, 1, 1]
    nearest = Nearest(latents, [None] * 50, [""] * 50)
    spread = latents.std(axis=0)
    lone = Nearest(latents[:1], [None], [""])
    assert lone.find(latents[0] + 5) == (0, 0), "nothing varies, so nothing is far"
    middle = latents[3]
    for place in (0, 1):
        moved = middle.copy()
        moved[place] += spread[place] * 1e-3
        assert nearest.find(moved)[1] == pytest.approx(1e-3 / np.sqrt(2), rel=1e-6)
    moved = middle.copy()
    moved[2] += 100
    assert nearest.find(moved) == (3, 0)


def test_the_map_follows_the_state() -> None:
    latents = rows()
    nearest = Nearest(latents, [None] * 50, [""] * 50)
    assert nearest.picture(latents[0]).shape == (SIDE + 22, SIDE, 3)
    low, high = (violet(nearest.picture(latents[np.argsort(latents[:, 0])[place]])) for place in (0, -1))
    assert np.abs(low - high).max() > SIDE / 2
    far = violet(nearest.picture(latents.mean(axis=0) + np.eye(4)[0] * 1e6))
    assert (far >= 0).all()
    assert (far <= SIDE).all(), "what is beyond the map stays at its edge"


def test_the_frame_of_the_nearest_row_is_shown() -> None:
    latents = rows(3)
    frames = [np.full((4, 6, 3), shade, np.uint8) for shade in (10, 100, 200)]
    nearest = Nearest(latents, frames, ["", "", ""])
    for place in range(3):
        picture = nearest.picture(latents[place])
        assert picture.shape == (SIDE + 22, 2 * SIDE, 3)
        assert (picture[SIDE // 2, SIDE // 2] == frames[place][0, 0]).all()


def test_a_run_without_a_decoder_is_played(cartpole: Scenery, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a model of embeddings alone is: its frames are real ones, which the state of a real row finds again."""
    monkeypatch.setattr(module, "LOOKED", 30)
    blind = Scenery(str(cartpole.run))
    heads = {name: head for name, head in blind.agent.trained.heads.items() if name != "decode"}
    blind.mind = Mind(dataclasses.replace(blind.agent.trained, heads=heads))
    assert set(blind.mind.lacks) == {"decode"}
    assert "nearest real frame" in blind.mind.lacks["decode"]
    rows = blind.episode(len(Stored(blind.run).episodes) - 1)
    first = {name: values[0] for name, values in rows.observation.items()}
    action = np.zeros(blind.spec.shape, blind.spec.dtype)
    shown = blind.mind.look(blind.mind.blank, action, first, first=True, key=jr.key(0))
    assert blind.nearest.find(shown.latent) == (0, 0)
    play = Session(blind, lambda _: None)
    play.handle({"type": "step"})
    (pane,) = play.frame().panes
    assert (pane.kind, pane.codec) == ("dream", "jpeg")
