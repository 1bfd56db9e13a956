"""Dreams of a model that is known: what they show, pay and when they end; Gymnasium's own checks; seeds."""

import warnings
from dataclasses import replace
from functools import partial

import equinox as eqx
import gymnasium
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from reverie.envs.dream import Dream, Scene, VectorDream, at_temperature
from reverie.errors import UserError
from reverie.protocol import AbstractPolicy, AbstractWorldModel, Trained
from reverie.types import ArraySpec, Spaces

SPACES = Spaces({"place": ArraySpec("vector", (2,))}, ArraySpec("discrete", (1,), (3,)))
FIRSTS = {"place": np.array([[0.0, 10.0], [1.0, 20.0], [2.0, 30.0]], np.float32)}
EDGE, LIMIT = 5.0, 8


class Line(AbstractWorldModel):
    """A place on a line, and a number that a throw of dice moves; an action leads 1 to the left, nowhere, or right."""

    temperature: jax.Array

    def initial(self):
        return jnp.zeros(2)

    def encode(self, observation):
        return observation["place"]

    def observe(self, state, action, encoded, *, key):
        return encoded

    def imagine(self, state, action, *, key):
        moved = action @ jnp.asarray([-1.0, 0.0, 1.0])
        return state + jnp.stack([moved, self.temperature * jr.normal(key)])


class Nobody(AbstractPolicy):
    def initial(self):
        return ()

    def act(self, carry, observation, is_first, *, key):
        return jnp.zeros((1,), jnp.int32), carry


HEADS = {
    "decode": lambda state: {"place": state},
    "reward": lambda state: 10 * state[0],
    "continue": lambda state: jax.nn.sigmoid(8 * (EDGE - 0.5 - state[0])),
}


def scene(heads=HEADS, limit=LIMIT, draw=None, spaces=SPACES, firsts=FIRSTS) -> Scene:
    trained = Trained(spaces, Line(jnp.asarray(1.0)), Nobody(), heads)
    taken = lambda action: np.asarray(action, np.int32).reshape(1)
    return Scene(trained, firsts, gymnasium.spaces.Discrete(3), taken, limit=limit, draw=draw, fps=7.0)


def test_a_dream_is_what_the_model_imagines() -> None:
    dream = Dream(scene())
    shown, _ = dream.reset(seed=0)
    assert shown.tolist() in FIRSTS["place"].tolist()
    began, rows = shown[0], []
    for _ in range(10):
        rows.append(dream.step(np.int64(2)))
        if rows[-1][2]:
            break
    assert [row[0][0] for row in rows] == [began + 1 + step for step in range(len(rows))]
    assert [row[1] for row in rows] == [10 * row[0][0] for row in rows]
    assert [row[2] for row in rows] == [row[0][0] >= EDGE for row in rows], "it ends where that is likelier than not"
    assert not any(row[3] for row in rows)


def test_the_clock_cuts_and_an_end_comes_first() -> None:
    dream = Dream(scene(limit=4))
    dream.reset(seed=0, options={"observation": {"place": np.array([0.0, 1.0])}})
    assert [dream.step(1)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]
    dream.reset(options={"observation": {"place": np.array([1.0, 1.0])}})
    assert [dream.step(2)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(True, False)]
    endless = Dream(scene(limit=0))
    endless.reset(seed=0, options={"observation": {"place": np.array([-99.0, 1.0])}})
    assert not any(any(endless.step(1)[2:4]) for _ in range(50))


def test_the_same_seed_is_the_same_dream_and_another_another() -> None:
    def dreamt(seed: int) -> list[list[float]]:
        dream = Dream(scene())
        shown = [dream.reset(seed=seed)[0]]
        shown += [dream.step(1)[0] for _ in range(5)]
        return [row.tolist() for row in [*shown, dream.reset()[0], dream.step(0)[0]]]

    assert dreamt(3) == dreamt(3)
    assert dreamt(3) != dreamt(4)


def test_episodes_begin_with_every_stored_observation() -> None:
    dream = Dream(scene())
    begun = {tuple(dream.reset(seed=seed)[0].tolist()) for seed in range(30)}
    assert begun == set(map(tuple, FIRSTS["place"].tolist()))


def test_gymnasium_finds_nothing_wrong() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(minimum|maximum) value is|.*not having a spec")
        check_env(Dream(scene(draw=lambda _: np.zeros((4, 4, 3), np.uint8)), render_mode="rgb_array"))


def test_many_dreams_begin_anew_one_step_after_their_end() -> None:
    dreams = VectorDream(scene(limit=3), 4)
    shown, _ = dreams.reset(seed=0, options={"observation": {"place": np.array([1.0, 1.0])}})
    assert dreams.observation_space.contains(shown)
    actions = np.array([1, 1, 2, 1])
    rows = [dreams.step(actions) for _ in range(5)]
    assert [row[3].all() for row in rows] == [False, False, True, False, False]
    assert not any(row[2].any() for row in rows)
    assert rows[3][1].tolist() == [0.0] * 4
    assert {tuple(row) for row in rows[3][0].tolist()} <= set(map(tuple, FIRSTS["place"].tolist()))
    np.testing.assert_allclose(rows[4][0][:, 0] - rows[3][0][:, 0], actions - 1)


def test_only_those_that_have_ended_begin_anew() -> None:
    dreams = VectorDream(scene(limit=0), 3)
    dreams.reset(seed=0, options={"observation": {"place": np.array([4.0, 1.0])}})
    first, second = dreams.step(np.array([2, 1, 0])), dreams.step(np.array([1, 1, 1]))
    assert first[2].tolist() == [True, False, False]
    assert second[0][1:, 0].tolist() == [4.0, 3.0]
    assert tuple(second[0][0]) in set(map(tuple, FIRSTS["place"].tolist()))
    assert second[1].tolist() == [0.0, 40.0, 30.0]


def test_dreams_side_by_side_meet_other_dice() -> None:
    dreams = VectorDream(scene(limit=0), 3)
    dreams.reset(seed=0, options={"observation": {"place": np.array([0.0, 0.0])}})
    assert len(set(dreams.step(np.array([1, 1, 1]))[0][:, 1].tolist())) == 3


def test_a_picture_is_the_first_image_or_what_the_world_draws() -> None:
    drawn = Dream(scene(draw=lambda shown: np.full((2, 2, 3), int(shown["place"][0]), np.uint8)))
    drawn.reset(seed=0, options={"observation": {"place": np.array([3.0, 0.0])}})
    assert drawn.render().tolist() == np.full((2, 2, 3), 3).tolist()
    blind = Dream(scene())
    blind.reset(seed=0)
    with pytest.raises(UserError, match="no pictures"):
        blind.render()
    image = {"decode": lambda state: {"eye": jnp.full((4, 4, 1), state[0]).astype(jnp.uint8)}}
    spaces = Spaces({"eye": ArraySpec("image", (4, 4, 1)), **SPACES.observation}, SPACES.action)
    seeing = Dream(scene({"reward": HEADS["reward"], **image}, spaces=spaces))
    shown, _ = seeing.reset(seed=0, options={"observation": {"place": np.array([3.0, 0.0])}})
    assert shown.shape == (4, 4, 1), "the only thing that it decodes"
    assert seeing.render().tolist() == np.full((4, 4, 3), 3).tolist()


def test_what_cannot_be_dreamt_is_refused() -> None:
    with pytest.raises(UserError, match=r"no head for reward.*it has decode"):
        scene({"decode": HEADS["decode"]})
    with pytest.raises(UserError, match="no first observation"):
        scene(firsts={"place": np.zeros((0, 2), np.float32)})
    with pytest.raises(gymnasium.error.ResetNeeded):
        Dream(scene()).step(0)


@pytest.mark.parametrize("given", [np.array([3.0, 1.0]), np.array([3, 1]), [3.0, 1.0], {"place": (3.0, 1.0)}], ids=str)
def test_the_only_observation_may_be_given_as_it_is(given) -> None:
    """Of any kind of number; of many dreams, each begins with it."""
    options = {"observation": given}
    assert Dream(scene()).reset(options=options)[0].tolist() == [3.0, 1.0]
    shown, _ = VectorDream(scene(), 3).reset(options=options)
    assert (shown.tolist(), shown.dtype) == ([[3.0, 1.0]] * 3, np.float32)


TWO = {"place": FIRSTS["place"], "mark": np.array([[1], [2], [0]], np.int32)}


@pytest.mark.parametrize(
    ("firsts", "given", "message"),
    [
        (FIRSTS, np.zeros(3), r"place to begin with must be of shape \(2,\), got \(3,\)"),
        (FIRSTS, 1.0, r"of shape \(2,\), got \(\)"),
        (FIRSTS, {"place": np.zeros((1, 2))}, r"of shape \(2,\), got \(1, 2\)"),
        (FIRSTS, {"eye": np.zeros(2)}, "lacks place; it has eye"),
        (FIRSTS, "nowhere", "place to begin with must be an array of float32"),
        (FIRSTS, [[1.0], [1.0, 2.0]], "place to begin with must be an array of float32"),
        (TWO, np.zeros(2), "must be a dict of place, mark"),
        (TWO, {"place": np.zeros(2)}, "lacks mark; it has place"),
        (TWO, {"place": np.zeros(2), "mark": [0.5]}, "mark to begin with must be int32, and not all of it is"),
        (TWO, {"place": np.zeros(2), "mark": [2**40]}, "mark to begin with must be int32, and not all of it is"),
    ],
)
def test_what_no_dream_can_begin_with_is_refused(firsts, given, message) -> None:
    spaces = Spaces({**SPACES.observation, "mark": ArraySpec("discrete", (1,), (3,))}, SPACES.action)
    marked = {"decode": lambda state: {"place": state, "mark": state[:1].astype(jnp.int32)}}
    there = scene(HEADS | (marked if "mark" in firsts else {}), firsts=firsts, spaces=spaces)
    for dreams in (Dream(there), VectorDream(there, 2)):
        with pytest.raises(UserError, match=message):
            dreams.reset(options={"observation": given})


def test_what_a_dream_shows_is_enough_to_begin_another_with() -> None:
    """The mark is kept of every beginning, but this model neither shows nor looks at it."""
    spaces = Spaces({**SPACES.observation, "mark": ArraySpec("discrete", (1,), (3,))}, SPACES.action)
    dream = Dream(scene(firsts=TWO, spaces=spaces))
    dream.reset(seed=0)
    shown = dream.step(2)[0]
    assert shown in dream.observation_space
    np.testing.assert_array_equal(dream.reset(options={"observation": shown})[0], shown)


@pytest.mark.parametrize("action", [3, -1, 1.5, "left", None], ids=str)
def test_an_action_of_another_world_is_refused(action) -> None:
    dream, dreams = Dream(scene()), VectorDream(scene(), 2)
    dream.reset(seed=0)
    dreams.reset(seed=0)
    for act in (partial(dream.step, action), partial(dreams.step, [0, action])):
        with pytest.raises(UserError, match=r"one of Discrete\(3\), got"):
            act()


@pytest.mark.parametrize(
    ("space", "fits", "not_one"),
    [
        (gymnasium.spaces.Box(-1, 1, (2,)), [0.5, 2.0], [0.5, np.nan]),
        (gymnasium.spaces.Box(-1, 1, (2,)), np.zeros(2), np.zeros(3)),
        (gymnasium.spaces.MultiBinary(2), np.array([0, 1], np.int8), np.array([0, 2], np.int8)),
        (gymnasium.spaces.Dict(a=gymnasium.spaces.Discrete(2)), {"a": 1}, {"a": 2}),
    ],
    ids=str,
)
def test_actions_of_any_space(space, fits, not_one) -> None:
    there = replace(scene(), action_space=space, taken=lambda action: np.zeros(1))
    assert there.actions([fits]).shape == (1, 1)
    with pytest.raises(UserError, match="an action of this dream is one of"):
        there.actions([fits, not_one])


def test_another_temperature() -> None:
    trained = scene().trained
    assert at_temperature(trained, 2.5).model.temperature == 2.5
    with pytest.raises(UserError, match="above 0, got 0"):
        at_temperature(trained, 0.0)
    without = eqx.tree_at(lambda it: it.model, trained, Nobody())
    with pytest.raises(UserError, match="no temperature"):
        at_temperature(without, 1.0)
