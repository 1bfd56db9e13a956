"""Dreams side by side: they begin alike, go on by their temperature, and stay as they were once they are over."""

import equinox as eqx
import jax.random as jr
import numpy as np
import pytest

from reverie.behaviours.controller import obeyed_in
from reverie.behaviours.exploration import HeldPolicy
from reverie.errors import UserError
from reverie.evaluate import dream_film
from reverie.evaluate.dream_film import dreams_film
from reverie.methods import vmc
from reverie.protocol import Trained
from reverie.types import ArraySpec, Spaces

SPACES = Spaces({"screen": ArraySpec("image", (64, 64, 3))}, ArraySpec("discrete", (1,), (3,)))
CONFIG = vmc.Config(dream=True, latents=3, units=5, depth=1)
FIRST = {"screen": np.full((64, 64, 3), 99, np.uint8)}


def trained(done: float) -> Trained:
    """One that ends at once, or never; its pictures depend on z."""
    model = vmc.build(SPACES, CONFIG, key=jr.key(0))
    head = lambda it: it.world.memory.head.bias
    model = eqx.tree_at(head, model, replace_fn=lambda bias: bias.at[0].set(done))
    wide = lambda it: it.world.vision.entry.weight
    model = eqx.tree_at(wide, model, replace_fn=lambda weight: 5 * weight)
    return vmc.trained(model, CONFIG, obeyed_in("", SPACES.action), SPACES)


def test_it_lasts_as_long_as_the_longest_of_them() -> None:
    endless = dreams_film(trained(-100.0), FIRST, (0.1, 2.0), caption="both", steps=12)
    assert len(endless) == 12
    assert not np.array_equal(endless[3], endless[7])
    assert len(dreams_film(trained(100.0), FIRST, (0.1, 2.0), caption="both", steps=12)) == 1


def test_a_long_one_is_shown_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(-100.0)
    whole = dreams_film(model, FIRST, (1.0,), caption="", steps=11)
    monkeypatch.setattr(dream_film, "STEPS", 4)
    np.testing.assert_array_equal(dreams_film(model, FIRST, (1.0,), caption="", steps=11), whole[::3])


def test_a_temperature_is_what_they_differ_in() -> None:
    one, other = (dreams_film(trained(-100.0), FIRST, (1.0, last), caption="", steps=5) for last in (1.0, 3.0))
    half = one.shape[2] // 2
    np.testing.assert_array_equal(one[:, :, :half], other[:, :, :half])
    assert not np.array_equal(one[:, 60:, half:], other[:, 60:, half:])


def test_others_have_no_temperature() -> None:
    whole = trained(0.0)
    with pytest.raises(UserError, match="only dreams of vmc"):
        dreams_film(Trained(SPACES, whole.model, HeldPolicy(obeyed_in("", SPACES.action)), {}), FIRST, caption="")
