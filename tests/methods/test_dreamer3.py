"""DreamerV3's own: what it counts, what is aligned with what, which loss moves what, and what one update does.

Elsewhere: returns by hand (`test_dreamer3_returns`), every number of the reference implementation
(`test_dreamer3_reference`), whether it learns (`test_dreamer3_toys`).
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from methods.small import BATCH, CHOICES, CONFIG, HORIZON, KEY, NUMBERS, ONE, TIME, learner_of, same, stack_of

from reverie.data import tensors
from reverie.envs.config import EnvironmentConfig
from reverie.maths.scaling import two_hot_mean
from reverie.methods import dreamer3
from reverie.models.rssm import Belief
from reverie.rollout import over_time
from reverie.run.dispatch import dispatch
from reverie.run.experience import Stack
from reverie.run.run import Run
from reverie.types import ArraySpec, Spaces

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(scope="module")
def learner() -> dreamer3.Learner:
    return learner_of(CHOICES, CONFIG)


@pytest.fixture(scope="module")
def batch() -> Stack:
    return stack_of(CHOICES)


# ----------------------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize(("size", "total"), [("1m", 687_875), ("12m", 10_498_259), ("200m", 165_965_075)])
def test_parameter_counts_are_the_reference_s(size, total):
    spaces = Spaces({"image": ArraySpec("image", (64, 64, 3))}, ArraySpec("discrete", (1,), (17,)))
    assert sum(dreamer3.parameters(spaces, dreamer3.SIZES[size]).values()) == total


def test_parameters_are_counted_by_part(learner):
    model = learner.model
    expected = {
        "encoder": model.world.encoder, "dynamics": (model.world.cell, model.world.prior, model.world.posterior),
        "decoder": model.decoder, "reward": model.reward, "continue": model.continue_, "actor": model.actor,
        "critic": model.critic,
    }  # fmt: skip
    counted = dreamer3.parameters(CHOICES, CONFIG)
    assert counted == {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in expected.items()}


# -------------------------------------------------------------------------------------------------------- alignment


@pytest.fixture(scope="module")
def states(learner, batch) -> Belief:
    return eqx.filter_jit(dreamer3.posterior)(learner.model, batch, key=KEY)


def test_posterior_starts_from_the_context_and_takes_each_row_s_action_before(learner, batch, states):
    """Given the guesses that were drawn, every memory and every posterior follows; row 0 is context and has none."""
    world, sequence = learner.model.world, batch.sequence

    @eqx.filter_jit
    def step(world, state, action, observation):
        vector = jnp.concatenate([jax.nn.one_hot(action[0], 2), jax.nn.one_hot(action[1], 3)])
        belief = world.observe(state, vector, world.encode(observation), key=KEY)
        return belief.deter, belief.logits

    for line in range(BATCH):
        state = world.recall({name: values[line] for name, values in batch.context.items()})
        for t in range(TIME):
            observation = {name: values[line, t + 1] for name, values in sequence.observation.items()}
            action = sequence.action[line, t]
            if sequence.is_first[line, t + 1]:
                state, action = world.initial(), jnp.full(2, -1, jnp.int32)  # no choice: a vector of zeros
            deter, logits = step(world, state, action, observation)
            state = jax.tree.map(lambda x: x[line, t], states)  # noqa: B023
            same((state.deter, state.logits), (deter, logits), rtol=1e-4, atol=1e-5)


def test_imagination_starts_from_every_posterior_and_its_actions_lead_on(learner, states):
    """Start b * T + t is the state (b, t); f_{i+1} follows from f_i and a_i, given the guesses that were drawn."""
    model = learner.model
    imagined = eqx.filter_jit(dreamer3.imagine)(model, states, CONFIG, key=KEY)
    assert imagined.features.shape == (BATCH * TIME, HORIZON + 1, CONFIG.rssm.features)
    assert imagined.actions.shape == (BATCH * TIME, HORIZON, 2)
    features = imagined.features.reshape(BATCH, TIME, HORIZON + 1, -1)
    np.testing.assert_array_equal(features[:, :, 0], states.features)

    def memory(features, action):
        deter, stoch = features[:8], features[8:].reshape(3, 4)
        vector = jnp.concatenate([jax.nn.one_hot(action[0], 2), jax.nn.one_hot(action[1], 3)])
        return model.world.imagine(Belief(deter, stoch, stoch), vector, key=KEY).deter

    following = jax.jit(jax.vmap(jax.vmap(memory)))(imagined.features[:, :-1], imagined.actions)
    same(following, imagined.features[:, 1:, :8], rtol=1e-4, atol=1e-5)


# ------------------------------------------------------------------------------------------------- reach of gradients

WORLD = {"encoder", "cell", "posterior"}  # all that a posterior state is made of
REACH = {
    "policy": {"actor"},
    "value": {"critic"},
    "replay_value": WORLD | {"critic"},
    "reward": WORLD | {"reward"},
    "continue": WORLD | {"continue"},
    "reconstruction/vector": WORLD | {"decoder"},
    "reconstruction/image": WORLD | {"decoder"},
    "representation": WORLD,
    "dynamics": WORLD | {"prior"},
    "dynamics, first row": {"cell", "prior"},  # of a state that replay remembers; later rows go through earlier guesses
    "dynamics, below the free nats": set(),
    "representation, below the free nats": set(),
}


@pytest.fixture(scope="module")
def losses(learner, batch):
    """The mean of every loss, assembled here with the keys of the first update, and all their gradients."""
    filter_key, dream_key = jr.split(jr.fold_in(KEY, 0))

    def means(parameters):
        model, slow_critic = parameters
        rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
        states = dreamer3.posterior(model, batch, key=filter_key)
        imagined = dreamer3.imagine(model, states, CONFIG, key=dream_key)
        behaviour, returns, *_ = dreamer3.behaviour_losses(model, slow_critic, learner.return_scale, imagined, CONFIG)
        bootstrap = returns[:, 0].reshape(BATCH, TIME)
        losses = dreamer3.world_model_losses(model, states, rows, replace(CONFIG, free_nats=0.0)) | behaviour
        losses["replay_value"] = dreamer3.replay_value_loss(model, slow_critic, states, rows, bootstrap, CONFIG)
        losses["dynamics, first row"] = losses["dynamics"][:, 0]
        satisfied = dreamer3.world_model_losses(model, states, rows, replace(CONFIG, free_nats=1e3))
        for name in ("dynamics", "representation"):
            losses[f"{name}, below the free nats"] = satisfied[name]
        values = {name: loss.mean() for name, loss in losses.items()}
        return values, values

    gradients, values = jax.jit(jax.jacrev(means, has_aux=True))((learner.model, learner.slow_critic))
    return values, gradients


@pytest.fixture(scope="module")
def reach(losses):
    """By loss, the parts of the model, and the slow critic, that have any gradient."""
    return {name: moved(*gradient) for name, gradient in losses[1].items()}


def moved(model, slow_critic) -> set[str]:
    world = model.world
    parts = {
        "encoder": world.encoder, "cell": world.cell, "prior": world.prior, "posterior": world.posterior,
        "decoder": model.decoder, "reward": model.reward, "continue": model.continue_, "actor": model.actor,
        "critic": model.critic, "slow critic": slow_critic,
    }  # fmt: skip
    return {name for name, part in parts.items() if any(leaf.any() for leaf in jax.tree.leaves(part))}


@pytest.mark.parametrize("loss", REACH)
def test_reach(loss, reach):
    assert reach[loss] == REACH[loss]


def test_every_loss_is_among_them(reach):
    assert reach.keys() == REACH.keys()


def test_the_free_nats_are_of_a_whole_step(learner, batch, states):
    """The larger of them and the divergence summed over the variables: here, some steps are above, some below."""
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    losses = eqx.filter_jit(dreamer3.world_model_losses)(learner.model, states, rows, CONFIG)
    prior = np.asarray(jax.jit(over_time(learner.model.world.prior_logits))(states.deter))
    posterior = np.asarray(states.logits)
    divergence = (np.exp(posterior) * (posterior - prior)).sum((-2, -1))
    assert divergence.min() < CONFIG.free_nats < divergence.max()
    for name in ("dynamics", "representation"):
        np.testing.assert_allclose(losses[name], np.maximum(divergence, CONFIG.free_nats), rtol=1e-4)


# ---------------------------------------------------------------------------------------------------------- updates

step = eqx.filter_jit(dreamer3.update)


@pytest.fixture(scope="module")
def once(learner, batch):
    return step(learner, batch, CONFIG)


@pytest.fixture(scope="module")
def twice(once, batch):
    return step(once[0], batch, CONFIG)


def test_the_first_update_has_step_size_zero(learner, once):
    same(once[0].model, learner.model)
    assert once[0].updates == 1
    assert once[0].return_scale.high != 0


def test_the_total_is_the_weighted_sum_of_all_losses(losses, once):
    """Each mean is as assembled above, but for the free nats, which are tested by themselves."""
    metrics, values = once[1][1], losses[0]
    ours = {name.removeprefix("loss/"): value for name, value in metrics.items() if name.startswith("loss/")}
    assert ours.keys() == {name for name in REACH if "," not in name}
    for name in ours.keys() - {"dynamics", "representation"}:
        np.testing.assert_allclose(ours[name], values[name], rtol=1e-3, atol=1e-5)
    scales = {"dynamics": 1, "representation": 0.1, "replay_value": 0.3}
    total = sum(scales.get(name, 1) * value for name, value in ours.items())
    np.testing.assert_allclose(metrics["loss"], total, rtol=1e-5)


def test_the_total_loss_reaches_every_parameter(once):
    """Whatever has had a gradient has momentum."""
    momentum = jax.tree_util.tree_leaves_with_path(once[0].optimiser[1].momentum)
    assert [jax.tree_util.keystr(path) for path, leaf in momentum if not leaf.any()] == []


def test_the_second_update_moves_everything(once, twice):
    assert not any(jax.tree.leaves(jax.tree.map(np.array_equal, once[0].model, twice[0].model)))
    assert all(np.isfinite(value) for value in twice[1][1].values())


def test_the_slow_critic_follows_the_updated_one(once, twice):
    expected = jax.tree.map(lambda slow, fast: 0.98 * slow + 0.02 * fast, once[0].slow_critic, twice[0].model.critic)
    same(twice[0].slow_critic, expected, rtol=1e-5, atol=1e-6)


def test_an_update_gives_the_latents_of_every_row_after_the_context(learner, batch, once):
    states = eqx.filter_jit(dreamer3.posterior)(learner.model, batch, key=jr.split(jr.fold_in(KEY, 0))[0])
    same(once[1][0], states.latents, rtol=1e-4, atol=1e-5)
    assert once[1][0]["deter"].shape == (BATCH, TIME, 8)


def test_every_update_draws_anew(learner, batch, once):
    later = eqx.tree_at(lambda le: le.updates, learner, jnp.ones((), jnp.int32))
    assert not np.array_equal(step(later, batch, CONFIG)[1][0]["deter"], once[1][0]["deter"])


def test_an_update_is_deterministic(learner, batch, once):
    same(step(learner, batch, CONFIG), once)


def test_compiled_losses_are_the_eager_ones(learner, batch, once):
    eager = dreamer3.total_loss(learner.model, learner, batch, CONFIG, jr.fold_in(KEY, 0))[1][2]
    compiled = {name: value for name, value in once[1][1].items() if name != "gradient_norm"}
    same(compiled, eager, rtol=1e-3, atol=1e-5)


def test_two_dispatched_updates_are_two_updates(learner, batch, once, twice):
    stack = jax.tree.map(lambda x: jnp.stack([x, x]), batch)
    copied = jax.tree.map(lambda x: jnp.copy(x) if eqx.is_array(x) else x, learner)  # dispatching consumes it
    after, outcomes = dispatch((dreamer3.update, CONFIG, stack), copied, np.int32(0))
    same(after, twice[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(outcomes[1].pop("skipped"), 0)
    same(outcomes, jax.tree.map(lambda *x: jnp.stack(x), once[1], twice[1]), rtol=1e-3, atol=1e-4)


def test_bfloat16_keeps_parameters_and_losses_in_float32():
    config, batch = replace(CONFIG, dtype="bfloat16", warmup=0), stack_of(NUMBERS)
    learner = learner_of(NUMBERS, config)
    after, (latents, metrics) = eqx.filter_eval_shape(dreamer3.update, learner, batch, config)
    assert learner.model.world.initial().deter.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((after.model, metrics))} == {jnp.dtype("float32")}
    assert latents["deter"].dtype == jnp.float32
    total, (_, _, metrics) = eqx.filter_jit(dreamer3.total_loss)(learner.model, learner, batch, config, KEY)
    assert all(np.isfinite(value) for value in [total, *metrics.values()])


def test_the_step_size_is_warmed_up():
    """Equal gradients make LaProp's steps of size one: what is left is the schedule, 0, .1, .2 ... 1, 1 times 1e-2."""
    transform, parameter = dreamer3.optimiser(CONFIG), jnp.full(3, 2.0)
    state, sizes = transform.init(parameter), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(12):
            steps, state = jax.jit(transform.update)(jnp.full(3, 1e-3), state, parameter)
            sizes.append(float(-steps[0]))
    np.testing.assert_allclose(sizes, 1e-2 * np.minimum(np.arange(12) / 10, 1), rtol=1e-3, atol=1e-9)


# -------------------------------------------------------------------------------------------------- before and after


def test_a_learner_begins_with_a_copied_slow_critic_and_heads_that_say_nothing():
    begun = eqx.filter_jit(lambda key: dreamer3.initialise(ONE, CONFIG, key=key))(KEY)
    same(begun.slow_critic, begun.model.critic)
    assert not begun.model.reward.out.weight.any()
    assert not begun.model.critic.head.out.weight.any()
    assert begun.model.continue_.out.weight.any()
    assert (begun.updates, begun.return_scale.scale()) == (0, 1)


def test_a_trained_agent_has_every_head(learner, states):
    model, state = learner.model, jax.tree.map(lambda x: x[0, 0], states)
    trained = dreamer3.trained(model, CHOICES)
    said = eqx.filter_jit(lambda heads, state: {name: head(state) for name, head in heads.items()})(
        trained.heads, state
    )
    shown = said["decode"]
    assert {name: (value.shape, value.dtype) for name, value in shown.items()} == {
        name: (spec.shape, spec.dtype) for name, spec in CHOICES.observation.items()
    }
    np.testing.assert_allclose(said["value"], model.critic.value(state.features), rtol=1e-3)
    np.testing.assert_allclose(said["continue"], jax.nn.sigmoid(model.continue_(state.features)[0]), rtol=1e-5)
    np.testing.assert_allclose(said["reward"], two_hot_mean(model.reward(state.features)), rtol=1e-3)
    assert trained.policy.world is trained.model


# ------------------------------------------------------------------------------------------------------------- log


def counted(about, learner, _):
    """In place of the compiled updates: what is logged is how many there were."""
    _, config, stack = about
    dispatch_size, first = len(stack.sequence.reward), int(learner.updates)
    latents = {
        name: np.zeros((dispatch_size, config.batch, config.length, *shape), dtype)
        for name, (shape, dtype) in learner.model.world.latents.items()
    }
    metrics = {"loss": np.arange(first, first + dispatch_size, dtype=np.float32), "skipped": np.zeros(dispatch_size)}
    return replace(learner, updates=learner.updates + dispatch_size), (latents, metrics)


@pytest.mark.parametrize("stop", [490, 500, 510])
def test_a_resumed_run_logs_the_lines_of_a_whole_one(tmp_path, monkeypatch, stop):
    """Also where a line is due between two stacks: what the last stack gave is not known any more."""
    monkeypatch.setattr(dreamer3, "dispatch", counted)
    experience = replace(dreamer3.NANO.experience, capacity=5_000, train_ratio=24.0)
    config = replace(CONFIG, batch=16, length=16, experience=experience)
    lines = []
    for name, ends in (("whole", [580]), ("resumed", [stop, 580])):
        for end in ends:
            about = {"method": "dreamer3", "environment": "e", "size": "s", "seed": 0, "config": {}, "steps": end}
            with Run.create(tmp_path / name, about) as run:
                dreamer3.train(run, config, "CartPole-v1", EnvironmentConfig())
        lines.append(
            [{key: line[key] for key in ("step", "updates", "loss")} for line in run.metrics() if "loss" in line]
        )
    assert len(lines[0]) == 1
    assert lines[0] == lines[1]


class Impatient(Run):
    """A run that is asked to stop from the k-th look on."""

    looks = 10**9

    def due(self, what, step=None):
        if what != "checkpoint":
            return super().due(what, step)
        self.looks -= 1
        self.stop = int(self.looks <= 0)
        return bool(self.stop)


def test_a_run_that_is_left_between_updates_writes_the_same_lines(tmp_path):
    """A row owes five compiled calls; whichever of them it is left after, it ends as if it had not been."""
    experience = replace(dreamer3.NANO.experience, environments=2, capacity=500, train_ratio=5.0 * BATCH * TIME / 2)
    config = replace(CONFIG, experience=replace(experience, dispatch=1))
    about = {
        "method": "dreamer3",
        "environment": "CartPole-v1",
        "seed": 0,
        "steps": 60,
        "every": {"log": 7, "snapshot": 12},
    }
    unbroken = Impatient.create(tmp_path / "unbroken", about)
    broken = Impatient.create(tmp_path / "broken", about)
    with unbroken:
        dreamer3.train(unbroken, config, "CartPole-v1", EnvironmentConfig())
    stops = 0
    while True:
        broken.looks = 4 + stops
        with broken:
            dreamer3.train(broken, config, "CartPole-v1", EnvironmentConfig())
        if not broken.stop:
            break
        stops += 1
    assert stops > 10
    lines = [[{**line, "seconds": 0} for line in run.metrics()] for run in (unbroken, broken)]
    assert sum("updates" in line for line in lines[0]) > 4
    assert lines[0] == lines[1]
    kept = [
        [tensors.digest_of(path) for path in sorted(run.directory.rglob("snapshots/*/*"))] for run in (unbroken, broken)
    ]
    assert len(kept[0]) >= 4
    assert kept[0] == kept[1]
