"""The model in the studio is the model: what it dreams at temperature 1 is what it imagines, to the bit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from reverie.maths.distributions import action_vector
from reverie.studio import mind
from reverie.studio.mind import NUMBERS, Mind
from reverie.studio.scenery import Scenery


def begun(scenery: Scenery) -> mind.Shown:
    nothing = np.zeros(scenery.spec.shape, scenery.spec.dtype)
    return scenery.mind.look(scenery.mind.blank, nothing, scenery.first(0), first=True, key=jr.key(0))


@pytest.mark.parametrize("name", ["cartpole", "doom", "gaussian"])
def test_a_dreamt_step_is_an_imagined_one(name: str, request: pytest.FixtureRequest) -> None:
    scenery: Scenery = request.getfixturevalue(name)
    model, state = scenery.agent.trained.model, begun(scenery).state
    action = np.ones(scenery.spec.shape, scenery.spec.dtype)
    shown = scenery.mind.dream(state, action, scenery.mind.temperature, key=jr.key(5))
    vector = action_vector(scenery.spec, jnp.asarray(action))
    imagined = jax.jit(lambda state: model.imagine(state, vector, key=jr.key(5)))(state)
    for ours, theirs in zip(jax.tree.leaves(shown.state), jax.tree.leaves(imagined), strict=True):
        assert np.allclose(ours, theirs, atol=1e-6)


def test_the_numbers_are_what_the_heads_say(cartpole: Scenery) -> None:
    shown = begun(cartpole)
    heads = cartpole.agent.trained.heads
    for name in ("reward", "value", "continue"):
        said = float(heads[name](jax.tree.map(jnp.asarray, shown.state)))
        assert shown.numbers[NUMBERS.index(name)] == pytest.approx(said, rel=1e-4)
    assert 0 <= shown.numbers[NUMBERS.index("uncertainty")] <= 1
    assert 0 <= shown.numbers[NUMBERS.index("entropy")] <= np.log(2) + 1e-5


def test_what_a_model_lacks_is_no_number(doom: Scenery) -> None:
    numbers = begun(doom).numbers
    assert np.isnan(numbers[[NUMBERS.index(name) for name in ("value", "entropy", "uncertainty")]]).all()


def test_without_a_decoder_nothing_is_decoded_and_that_is_said(cartpole: Scenery) -> None:
    trained = cartpole.agent.trained
    bare = eqx.tree_at(lambda it: it.heads, trained, {})
    blind = Mind(bare)
    assert blind.read(blind.blank).decoded == {}
    assert set(blind.lacks) == {"reward", "value", "continue", "decode"}
    assert not blind.has_planner


def test_cold_dreams_are_all_alike_and_hot_ones_are_not(cartpole: Scenery) -> None:
    state, action = begun(cartpole).state, np.zeros(1, np.int32)

    def dreamt(temperature: float, dice: int) -> bytes:
        shown = cartpole.mind.dream(state, action, temperature, key=jr.key(dice))
        return np.asarray(shown.state.stoch).tobytes()

    assert len({dreamt(1e-4, dice) for dice in range(12)}) == 1
    assert len({dreamt(3.0, dice) for dice in range(12)}) > 2


def test_the_temperature_of_vmc_is_the_models_own(doom: Scenery) -> None:
    state, action = begun(doom).state, np.zeros(1, np.int32)
    spread = lambda heat: np.std(
        [doom.mind.dream(state, action, heat, key=jr.key(n)).state.z for n in range(8)], axis=0
    )
    assert spread(2.0).mean() > 2 * spread(0.1).mean()


def test_a_gaussian_guess_at_no_temperature_is_its_mean(gaussian: Scenery) -> None:
    state, action = begun(gaussian).state, np.zeros(1, np.float32)
    cold, own, hot = (gaussian.mind.dream(state, action, heat, key=jr.key(1)).state for heat in (0.0, 1.0, 2.0))
    assert np.array_equal(cold.stoch, cold.mean)
    assert np.allclose(hot.stoch - hot.mean, 2 * (own.stoch - own.mean), atol=1e-5)
    assert np.abs(own.stoch - own.mean).min() > 0


def test_what_is_said_of_a_gaussian_world(gaussian: Scenery) -> None:
    shown = begun(gaussian)
    assert shown.numbers[NUMBERS.index("uncertainty")] == pytest.approx(np.mean(shown.state.std), rel=1e-5)
    assert gaussian.mind.has_temperature
    assert {"value", "entropy"} <= set(gaussian.mind.lacks), "PlaNet has neither critic nor actor"
    found = mind.dials([shown.state])
    assert [dial["field"] for dial in found] == ["stoch"] * 3
    turned = mind.turned(shown.state, found[0], 0.5).stoch
    assert turned[found[0]["place"]] == 0.5


def test_an_agent_that_plans_acts_in_dreams(gaussian: Scenery) -> None:
    action = gaussian.mind.act(begun(gaussian).state, key=jr.key(0))
    assert action.shape == (1,)
    assert -1 <= action[0] <= 1


def test_agent_and_planner_give_actions_of_the_world(cartpole: Scenery) -> None:
    state = begun(cartpole).state
    for choose in (cartpole.mind.act, cartpole.mind.plan):
        action = choose(state, key=jr.key(0))
        assert (action.shape, action.dtype) == ((1,), np.int32)
        assert action[0] in (0, 1)


def test_dials_turn_numbers_and_choices(cartpole: Scenery) -> None:
    state = begun(cartpole).state
    action = np.zeros(1, np.int32)
    states = [state, cartpole.mind.dream(state, action, 1.0, key=jr.key(1)).state]
    found = mind.dials(states)
    assert {dial["field"] for dial in found} == {"deter", "stoch"}
    assert all(dial["low"] <= dial["value"] <= dial["high"] for dial in found)
    number = next(dial for dial in found if dial["field"] == "deter")
    other = mind.turned(state, number, 0.25)
    assert other.deter[number["place"]] == 0.25
    assert (np.asarray(other.deter) != np.asarray(state.deter)).sum() <= 1
    option = next(dial for dial in found if dial["field"] == "stoch")
    assert np.asarray(mind.turned(state, option, 3.0).stoch)[option["place"]].tolist() == [0, 0, 0, 1]


def test_distances_are_between_all_that_a_state_knows(cartpole: Scenery, doom: Scenery) -> None:
    assert begun(cartpole).latent.shape == (16 + 2 * 4,)
    assert begun(doom).latent.size >= 64 + 2 * 128
