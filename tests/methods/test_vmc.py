"""World Models: its sizes, what each update moves, what M is asked for, and what is refused before hours are spent."""

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.behaviours.controller import obeyed_in
from reverie.errors import UserError
from reverie.methods import vmc
from reverie.models import mdn_rnn, vae
from reverie.run.encoded import Rows
from reverie.run.run import Run
from reverie.types import ArraySpec, Spaces

PICTURE = {"image": ArraySpec("image", (64, 64, 3))}
RACING = Spaces(PICTURE, ArraySpec("continuous", (3,)))
DOOM = Spaces(
    {"gamevariables": ArraySpec("vector", (1,)), "screen": ArraySpec("image", (64, 64, 3))},
    ArraySpec("discrete", (1,), (3,)),
)
SMALL = vmc.Config(
    dream=True, latents=3, units=5, depth=1, vision_batch=4, memory_batch=2, memory_length=6, frames=100,
    memory_rate=1e-2, vision_rate=1e-2,
)  # fmt: skip
KEY = jr.key(0)


def test_parameters_are_the_papers() -> None:
    assert vmc.parameters(RACING, vmc.Config()) == {"vision": 4_348_547, "memory": 422_368, "controller": 867}
    doom = vmc.Config(dream=True)
    assert vmc.parameters(DOOM, doom) == {"vision": 4_446_915, "memory": 1_678_785, "controller": 1_088}
    alone = replace(vmc.Config(), memoryless=True)
    assert vmc.parameters(RACING, alone)["controller"] == 99
    assert vmc.parameters(RACING, replace(alone, hidden=40))["controller"] == 1_443


@pytest.fixture(scope="module")
def learner() -> vmc.Learner:
    return vmc.initialise(DOOM, SMALL, environment="VizdoomTakeCover-v1", key=KEY)


def rows(seed: int = 0, lanes: int = 2, time: int = 6) -> Rows:
    """An end and a beginning within the second lane."""
    random = np.random.default_rng(seed)
    is_first, terminated = np.zeros((2, lanes, time), bool)
    is_first[:, 0], is_first[1, 3], terminated[1, 2] = True, True, True
    previous = np.eye(3, dtype=np.float32)[random.integers(3, size=(lanes, time))]
    previous[is_first] = 0
    encoded, reward = random.normal(size=(lanes, time, 6)), random.normal(size=(lanes, time))
    return Rows(encoded.astype(np.float32), previous, is_first, terminated, reward.astype(np.float32))


def changed(before: vmc.Learner, after: vmc.Learner) -> set[str]:
    """Which parts an update moved."""
    parts = {
        "V": lambda it: it.model.world.vision,
        "M": lambda it: it.model.world.memory,
        "dial": lambda it: it.model.world.dial,
        "temperature": lambda it: it.model.world.temperature,
        "C": lambda it: it.model.controller,
        "V's moments": lambda it: it.vision_moments,
        "M's moments": lambda it: it.memory_moments,
        "carry": lambda it: it.carry,
        "key": lambda it: jr.key_data(it.key),
    }
    return {name for name, part in parts.items() if not eqx.tree_equal(part(before), part(after))}


def test_an_update_of_v_moves_v_alone_and_downhill(learner: vmc.Learner) -> None:
    frames = np.full((4, 64, 64, 3), 20, np.uint8)
    step = eqx.filter_jit(vmc.update)
    after, (_, metrics) = step(learner, vmc.Frames(frames), SMALL)
    assert changed(learner, after) == {"V", "V's moments"}
    assert (int(after.vision_updates), int(after.memory_updates)) == (1, 0)
    keys = jr.split(jr.fold_in(learner.key, 0), 4)
    vision = learner.model.world.vision
    terms = [vae.losses(vision, jnp.float32(frame) / 255, key=key) for frame, key in zip(frames, keys, strict=True)]
    for name in ("reconstruction", "divergence"):
        np.testing.assert_allclose(metrics[f"loss/{name}"], np.mean([term[name] for term in terms]), rtol=1e-4)
    for _ in range(30):
        after, (_, later) = step(after, vmc.Frames(frames), SMALL)
    assert later["loss"] < 0.3 * metrics["loss"]


def test_m_is_asked_for_each_row_but_those_that_begin_episodes(learner: vmc.Learner) -> None:
    """By hand: memory is forgotten at a beginning; what it predicts after (z, a) is the next row's z and end."""
    window = rows()
    after, (_, metrics) = eqx.filter_jit(vmc.update)(learner, window, SMALL)
    assert changed(learner, after) == {"M", "M's moments", "carry"}
    world, memory = learner.model.world, learner.model.world.memory
    latent, done, asked = 0.0, 0.0, 0
    for lane, key in enumerate(jr.split(jr.fold_in(learner.key, 0), 2)):
        remembered, z, first = memory.initial(), None, True
        for time, noise in enumerate(jr.split(key, 6)):
            if window.is_first[lane, time]:
                remembered, first = memory.initial(), True
            else:
                remembered = memory.advance(remembered, z, window.previous[lane, time] @ world.dial, jnp.asarray(first))
                first = False
            z = vae.sample(*jnp.split(jnp.asarray(window.encoded[lane, time]), 2), key=noise)
            if not window.is_first[lane, time]:
                terms = mdn_rnn.losses(
                    memory.predict(remembered), z, jnp.asarray(window.terminated[lane, time]), jnp.zeros(())
                )
                latent, done, asked = latent + terms["latent"], done + terms["done"], asked + 1
        np.testing.assert_allclose(after.carry.memory.h[lane], remembered.h, atol=1e-6)
        np.testing.assert_allclose(after.carry.z[lane], z, atol=1e-6)
    assert asked == 9
    np.testing.assert_allclose(metrics["loss/latent"], latent / asked, rtol=1e-5)
    np.testing.assert_allclose(metrics["loss/done"], done / asked, rtol=1e-5)


def test_the_next_window_goes_on_from_the_last(learner: vmc.Learner) -> None:
    window = rows()
    longer = jax.tree.map(lambda leaf: np.concatenate([leaf, leaf], axis=1), window)
    longer.is_first[:, 6] = False
    frozen = replace(SMALL, memory_rate=0.0)
    once, _ = eqx.filter_jit(vmc.update)(learner, window, frozen)
    certain = lambda it: np.concatenate([it.encoded[..., :3], np.full_like(it.encoded[..., 3:], -60.0)], axis=-1)
    first, second = (part._replace(encoded=certain(part)) for part in (window, window))
    second = second._replace(is_first=longer.is_first[:, 6:])
    longer = longer._replace(encoded=certain(longer))
    step = eqx.filter_jit(vmc.update)
    twice = step(step(learner, first, frozen)[0], second, frozen)[0]
    at_once = step(learner, longer, frozen)[0]
    np.testing.assert_allclose(twice.carry.memory.h, at_once.carry.memory.h, atol=1e-6)
    assert not np.allclose(once.carry.memory.h, twice.carry.memory.h, atol=1e-3)


def test_m_learns_what_an_action_does(learner: vmc.Learner) -> None:
    """z is the last action's dial, in a thousandth: with the action known, the density is far above a standard one."""
    random, step = np.random.default_rng(0), eqx.filter_jit(vmc.update)
    config = replace(SMALL, memory_batch=16)
    learner = vmc.initialise(DOOM, config, environment="VizdoomTakeCover-v1", key=KEY)
    for _ in range(150):
        previous = np.eye(3, dtype=np.float32)[random.integers(3, size=(16, 6))]
        is_first = np.zeros((16, 6), bool)
        is_first[:, 0] = True
        previous[is_first] = 0
        mean = np.repeat(previous @ np.asarray(learner.model.world.dial), 3, axis=-1)
        encoded = np.concatenate([mean, np.full_like(mean, np.log(0.05**2))], axis=-1).astype(np.float32)
        nothing = np.zeros((16, 6))
        batch = Rows(encoded, previous, is_first, nothing > 0, nothing.astype(np.float32))
        learner, (_, metrics) = step(learner, batch, config)
    blind = 0.5 * np.log(2 * np.pi * np.e * (0.05**2 + 8 / 27))  # of a Gaussian that does not know the action
    assert metrics["loss/latent"] < blind - 0.7


@pytest.mark.parametrize(
    ("spaces", "config", "steps", "words"),
    [
        (Spaces({"state": ArraySpec("vector", (4,))}, DOOM.action), SMALL, 100, r"state \(4,\).*--environment.pixels"),
        (
            Spaces({"p": ArraySpec("image", (96, 96, 3))}, DOOM.action),
            SMALL,
            1,
            r"\(96, 96, 3\).*--environment.size 64",
        ),
        (DOOM, replace(SMALL, memory_batch=60), 100, "100 frames are too few .* 120"),
        (DOOM, SMALL, 99, "no fewer --steps than --config.frames"),
        (DOOM, SMALL, None, "no --budget"),
    ],
)
def test_what_would_fail_after_hours_is_refused_at_once(spaces, config, steps, words, tmp_path: Path) -> None:
    about = {"method": "vmc", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": steps, "budget": 60.0}
    with pytest.raises(UserError, match=words):
        vmc.check(spaces, config, Run.create(tmp_path / "run", about))


def test_what_is_left_behind_dreams_and_says_when_it_ends(learner: vmc.Learner) -> None:
    obeyed = obeyed_in("VizdoomTakeCover-v1", DOOM.action)
    trained = vmc.trained(learner.model, SMALL, obeyed, DOOM)
    state = trained.model.imagine(trained.model.initial(), jnp.asarray([0.0, 1.0, 0.0]), key=KEY)
    shown = trained.heads["decode"](state)
    assert shown["screen"].shape == (64, 64, 3)
    assert shown["screen"].dtype == jnp.uint8
    np.testing.assert_allclose(trained.heads["continue"](state), 1 / (1 + np.exp(state.done)), rtol=1e-5)
    racing = replace(SMALL, dream=False)
    model = vmc.build(RACING, racing, key=KEY)
    assert "continue" not in vmc.trained(model, racing, obeyed_in("CarRacing-v3", RACING.action), RACING).heads
