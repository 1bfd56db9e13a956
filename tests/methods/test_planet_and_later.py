"""What holds of every method before DreamerV3: what is aligned with what, which loss moves what, what one update does.

Elsewhere: each method's own (`test_dreamer1`, `test_dreamer2`), whether they learn (`test_planet_and_later_toys`).
"""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from methods.lineage import METHODS, SPACES, WORLD, Small, behaviour_of, learner_of, reached
from methods.small import BATCH, KEY, TIME, same, stack_of

from reverie.data import tensors
from reverie.envs.config import EnvironmentConfig
from reverie.maths.distributions import action_vector
from reverie.run.dispatch import dispatch
from reverie.run.experience import ExperienceConfig, Stack
from reverie.run.run import Run

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(scope="module", params=METHODS)
def small(request) -> Small:
    return METHODS[request.param]


@pytest.fixture(scope="module", params=SPACES)
def case(request, small) -> tuple[Small, Any, Stack]:
    spaces = SPACES[request.param]
    return small, learner_of(small, spaces), stack_of(spaces)


@pytest.fixture(scope="module")
def states(case) -> Any:
    small, learner, batch = case
    return eqx.filter_jit(small.module.posterior)(learner.model, batch, key=KEY)


# -------------------------------------------------------------------------------------------------------- alignment


def test_posterior_begins_without_memory_and_takes_each_row_s_action_before(case, states):
    """Given the guesses that were drawn, every memory follows. DreamerV2 forgets the action before a window, too."""
    small, learner, batch = case
    world, spec, sequence = learner.model.world, learner.model.actor.spec, batch.sequence

    @eqx.filter_jit
    def step(world, state, vector, observation):
        return world.observe(state, vector, world.encode(observation), key=KEY)

    first_forgets = small.module.__name__.endswith("dreamer2")
    for line in range(BATCH):
        state = world.initial()
        for t in range(TIME):
            observation = {name: values[line, t + 1] for name, values in sequence.observation.items()}
            vector = action_vector(spec, sequence.action[line, t])
            if sequence.is_first[line, t + 1]:
                state = world.initial()
            if sequence.is_first[line, t + 1] or (t == 0 and first_forgets):
                vector = jnp.zeros_like(vector)
            expected = step(world, state, vector, observation)
            state = jax.tree.map(lambda x: x[line, t], states)  # noqa: B023
            drawn_from = ("logits",) if hasattr(state, "logits") else ("mean", "std")
            for name in ("deter", *drawn_from):
                same(getattr(state, name), getattr(expected, name), rtol=1e-4, atol=1e-5)


def test_the_continuation_falls_where_the_world_ended_and_nowhere_else(case):
    """Row 1 of sequence 0 is terminal; row 3 of it is truncated, which does not count."""
    small, _, batch = case
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    survival = small.module.survival_of(rows, small.config)
    expected = np.full((BATCH, TIME), small.config.discount)
    expected[1, 0] = 0
    assert np.asarray(rows.truncated).any()
    np.testing.assert_allclose(survival, expected, rtol=1e-6)


def test_pictures_count_pixel_by_pixel(case, states):
    """Half the sum of squares over all pixels in [-0.5, 0.5], not their mean."""
    small, learner, batch = case
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    losses = eqx.filter_jit(small.module.world_model_losses)(learner.model, states, rows, small.config)
    outputs = jax.jit(jax.vmap(jax.vmap(learner.model.decoder)))(states.features)
    for name, output in outputs.items():
        seen = np.asarray(rows.observation[name], float)
        error = np.asarray(output) - (seen / 255 - 0.5 if name == "image" else seen)
        expected = 0.5 * (error**2).reshape(BATCH, TIME, -1).sum(-1)
        np.testing.assert_allclose(losses[f"reconstruction/{name}"], expected, rtol=1e-4)


def test_a_world_that_pays_in_tens_is_learned_as_the_same_that_pays_in_ones(case, states):
    """Whoever asks the heads is answered in the world's own unit."""
    small, learner, batch = case
    tens = replace(small.config, reward_unit=10.0)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    dear = eqx.tree_at(lambda rows: rows.reward, rows, 10 * rows.reward)
    judge = eqx.filter_jit(small.module.world_model_losses)
    errors = [judge(learner.model, states, *it)["reward"] for it in ((dear, tens), (rows, small.config))]
    np.testing.assert_allclose(*errors, rtol=1e-4, atol=1e-6)

    spaces = next(it for it in SPACES.values() if it.action == learner.model.actor.spec)
    state = jax.tree.map(lambda x: x[0, 0], states)
    for name in ("reward", "value"):
        ones, ten = (small.module.trained(learner.model, spaces, it).heads[name](state) for it in (small.config, tens))
        np.testing.assert_allclose(ten, 10 * ones, rtol=1e-5)


# ------------------------------------------------------------------------------------------------- reach of gradients


@pytest.fixture(scope="module")
def losses(case):
    """The mean of every loss, assembled here with the keys of the first update, and what each of them reaches."""
    small, learner, batch = case
    filter_key, dream_key = jr.split(jr.fold_in(KEY, 0))
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)

    def means(parameters):
        model, slow_critic = parameters
        states = small.module.posterior(model, batch, key=filter_key)
        imagined = small.module.imagine(model, states, small.config, key=dream_key)
        losses = small.module.world_model_losses(model, states, rows, small.config)
        losses |= behaviour_of(small, learner)(model, slow_critic, imagined, rows)
        values = {name: loss.mean() for name, loss in losses.items()}
        return values, values

    parameters = learner.model, getattr(learner, "slow_critic", None)
    gradients, values = jax.jit(jax.jacrev(means, has_aux=True))(parameters)
    return values, {name: reached(*gradient) for name, gradient in gradients.items()}


def test_reach(case, losses):
    """Behaviour never moves the world model, whose states it dreams through; nothing moves the slow critic."""
    small, learner, _ = case
    heads = {f"reconstruction/{name}": {"decoder"} for name in learner.model.decoder.specs}
    heads |= {"reward": {"reward"}, "continue": {"continue"}}
    expected = {name: WORLD | parts for name, parts in heads.items()} | small.divergences
    assert losses[1] == expected | {"policy": {"actor"}, "value": {"critic"}}


# ---------------------------------------------------------------------------------------------------------- updates


@pytest.fixture(scope="module")
def step(case):
    return eqx.filter_jit(case[0].module.update)


@pytest.fixture(scope="module")
def once(case, step):
    small, learner, batch = case
    return step(learner, batch, small.config)


@pytest.fixture(scope="module")
def twice(case, once, step):
    small, _, batch = case
    return step(once[0], batch, small.config)


def test_the_total_is_the_weighted_sum_of_all_losses(case, losses, once):
    metrics, values = once[1][1], losses[0]
    ours = {name.removeprefix("loss/"): value for name, value in metrics.items() if name.startswith("loss/")}
    same(ours, values, rtol=1e-3, atol=1e-5)
    total = sum(case[0].scales.get(name, 1) * value for name, value in ours.items())
    np.testing.assert_allclose(metrics["loss"], total, rtol=1e-4)


def test_an_update_moves_everything(case, once):
    before, after = case[1].model, once[0].model
    assert not any(jax.tree.leaves(jax.tree.map(np.array_equal, before, after)))
    assert all(np.isfinite(value) for value in once[1][1].values())
    assert once[1][0] == {}, "no latents are stored"


def test_each_part_has_its_own_step_size(case, once):
    """Adam's first step is the sign of the gradient times the rate (where it is not as small as epsilon)."""
    small, learner, _ = case
    config, quiet = small.config, getattr(small.config, "decay", 0.0)
    rates = {"reward": config.learning_rate, "actor": config.actor_rate, "critic": config.critic_rate}
    for part, rate in rates.items():
        moved = jax.tree.map(lambda new, old: np.abs(new - (1 - quiet) * old).max(), *(
            getattr(model, part) for model in (once[0].model, learner.model)
        ))  # fmt: skip
        assert 0.9 * rate < max(jax.tree.leaves(moved)) < 1.01 * rate


def test_every_update_draws_anew(case, once, step):
    small, learner, batch = case
    later = eqx.tree_at(lambda le: le.updates, learner, jnp.ones((), jnp.int32))
    assert step(later, batch, small.config)[1][1]["loss"] != once[1][1]["loss"]


def test_an_update_is_deterministic(case, once, step):
    small, learner, batch = case
    same(step(learner, batch, small.config), once)


def test_two_dispatched_updates_are_two_updates(case, twice, once):
    small, learner, batch = case
    stack = jax.tree.map(lambda x: jnp.stack([x, x]), batch)
    copied = jax.tree.map(lambda x: jnp.copy(x) if eqx.is_array(x) else x, learner)  # dispatching consumes it
    after, outcomes = dispatch((small.module.update, small.config, stack), copied, np.int32(0))
    same(after.model, twice[0].model, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(outcomes[1].pop("skipped"), 0)
    same(outcomes[1], jax.tree.map(lambda *x: jnp.stack(x), once[1][1], twice[1][1]), rtol=1e-2, atol=1e-3)


# -------------------------------------------------------------------------------------------------- before and after


def test_a_trained_agent_has_every_head(case, states):
    small, learner, _ = case
    model, state, spaces = learner.model, jax.tree.map(lambda x: x[0, 0], states), None
    spaces = next(it for it in SPACES.values() if it.action == model.actor.spec)
    trained = small.module.trained(model, spaces, small.config)
    said = eqx.filter_jit(lambda heads, state: {name: head(state) for name, head in heads.items()})(
        trained.heads, state
    )
    assert {name: (value.shape, value.dtype) for name, value in said["decode"].items()} == {
        name: (spec.shape, spec.dtype) for name, spec in spaces.observation.items()
    }
    reward = model.reward(state.features)[0]
    squashed = small.config.squash_rewards
    np.testing.assert_allclose(said["reward"], np.arctanh(np.clip(reward, -0.999, 0.999)) if squashed else reward)
    np.testing.assert_allclose(said["continue"], jax.nn.sigmoid(model.continue_(state.features)[0]), rtol=1e-5)
    np.testing.assert_allclose(said["value"], model.critic(state.features)[0], rtol=1e-5)
    assert trained.policy.world is trained.model


def test_a_world_that_never_ends_needs_no_continuation(small):
    lasting = small._replace(config=replace(small.config, continue_scale=0.0))
    learner = learner_of(lasting, SPACES["numbers"])
    after, (_, metrics) = eqx.filter_eval_shape(
        small.module.update, learner, stack_of(SPACES["numbers"]), lasting.config
    )
    assert "loss/continue" not in metrics
    assert "continue" not in small.module.trained(after.model, SPACES["numbers"], lasting.config).heads


# -------------------------------------------------------------------------------------------------------------- runs


class Impatient(Run):
    """A run that is asked to stop from the k-th look on."""

    looks = 10**9

    def due(self, what, step=None):
        if what != "checkpoint":
            return super().due(what, step)
        self.looks -= 1
        self.stop = int(self.looks <= 0)
        return bool(self.stop)


def test_a_run_that_is_left_between_updates_writes_the_same_lines(small, tmp_path):
    """Through random play, the first updates and then some; wherever it is left, it ends as if it had not been."""
    experience = ExperienceConfig(
        environments=2, capacity=500, train_ratio=3.0 * BATCH * TIME / 2, prefill=12, pretrain=2, gibibytes=1.0
    )
    config = replace(small.config, experience=experience)
    about = {
        "method": small.module.__name__,
        "environment": "CartPole-v1",
        "seed": 0,
        "steps": 50,
        "every": {"log": 7, "snapshot": 12},
    }
    unbroken = Impatient.create(tmp_path / "unbroken", about)
    broken = Impatient.create(tmp_path / "broken", about)
    with unbroken:
        small.module.train(unbroken, config, "CartPole-v1", EnvironmentConfig())
    stops = 0
    while True:
        broken.looks = 4 + stops
        with broken:
            small.module.train(broken, config, "CartPole-v1", EnvironmentConfig())
        if not broken.stop:
            break
        stops += 1
    assert stops > 8
    lines = [[{**line, "seconds": 0} for line in run.metrics()] for run in (unbroken, broken)]
    assert sum("updates" in line for line in lines[0]) > 2
    assert lines[0] == lines[1]
    kept = [
        [tensors.digest_of(path) for path in sorted(run.directory.rglob("snapshots/*/*"))] for run in (unbroken, broken)
    ]
    assert len(kept[0]) >= 4
    assert kept[0] == kept[1]
