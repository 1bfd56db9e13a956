"""Every part of DreamerV3 against the numbers of the reference implementation."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from methods.reference import CONFIG, KINDS, Reference

from reverie.maths.distributions import action_vector, unimix
from reverie.maths.divergences import categorical_kl
from reverie.maths.return_scale import ReturnScale
from reverie.maths.scaling import two_hot_mean
from reverie.methods import dreamer3
from reverie.models.rssm import Belief
from reverie.rollout import filter_step, over_time
from reverie.types import Sequence

close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
KEY = jax.random.key(0)


@pytest.fixture(scope="module", params=KINDS)
def reference(request) -> Reference:
    return Reference(request.param)


@pytest.fixture(scope="module")
def model(reference) -> dreamer3.Model:
    return reference.model()


@pytest.fixture(scope="module")
def states(reference, model) -> Belief:
    """Our beliefs at the reference's own posterior samples."""
    logits = unimix(reference["observe/logit"], CONFIG.rssm.unimix)
    return Belief(reference["observe/deter"], reference["observe/stoch"], logits)


@pytest.fixture(scope="module")
def rows(reference) -> Sequence:
    terminated = reference["input/is_terminal"]
    return Sequence(
        reference.observation(),
        reference.action("input/previous_action"),  # only the filter's, tested by itself, reads actions
        reference["input/reward"],
        terminated,
        reference["input/is_last"] & ~terminated,
        reference["input/is_first"],
    )


@pytest.fixture(scope="module")
def imagined(reference, states) -> dreamer3.Imagined:
    deter, stoch = reference["imagine/deter"], reference["imagine/stoch"]
    starts = jax.tree.map(lambda x: x.reshape(-1, 1, *x.shape[2:]), states)
    dreamed = Belief(deter, stoch, stoch)
    features = jnp.concatenate([starts.features, dreamed.features], axis=1)
    return dreamer3.Imagined(features, reference.action("input/imagined_action")[:, :-1])


def test_encoder(reference, model):
    close(over_time(model.world.encode)(reference.observation()), reference["encoder/tokens"])


def test_posterior_and_core(reference, model):
    """Each step from the reference's own previous sample, with resets where it has them."""
    action = over_time(partial(action_vector, reference.spaces.action))(reference.action("input/previous_action"))
    deter, stoch = reference["input/carry_deter"], reference["input/carry_stoch"]
    step = jax.vmap(lambda *a: filter_step(model.world, *a, key=KEY))
    for t in range(CONFIG.length):
        belief = Belief(deter, stoch, stoch)
        belief = step(belief, action[:, t], reference["encoder/tokens"][:, t], reference["input/is_first"][:, t])
        close(belief.deter, reference["observe/deter"][:, t])
        close(belief.logits, unimix(reference["observe/logit"][:, t], CONFIG.rssm.unimix))
        deter, stoch = belief.deter, reference["observe/stoch"][:, t]


def test_prior_and_divergence(reference, model, states):
    prior = over_time(model.world.prior_logits)(states.deter)
    close(prior, unimix(reference["observe/prior_logit"], CONFIG.rssm.unimix))
    close(over_time(categorical_kl)(states.logits, prior), reference["kl/without_free_nats"])


def test_decoder(reference, model, states):
    outputs = over_time(model.decoder)(states.deter, states.stoch)
    close(outputs["image"], reference["decoder/image/pred"])
    close(outputs["vector"], reference["decoder/vector/pred"])
    np.testing.assert_array_equal(jnp.argmax(outputs["token"], axis=-1), reference["decoder/token/pred"])


def test_world_model_losses(reference, model, states, rows):
    losses = dreamer3.world_model_losses(model, states, rows, CONFIG)
    names = {
        "dynamics": "dyn", "representation": "rep", "reward": "rew", "continue": "con",
        "reconstruction/image": "image", "reconstruction/vector": "vector", "reconstruction/token": "token",
    }  # fmt: skip
    assert losses.keys() == names.keys()
    for ours, theirs in names.items():
        close(losses[ours], reference[f"loss/{theirs}"])


def test_reward_and_continue(reference, model, states):
    close(over_time(two_hot_mean)(over_time(model.reward)(states.features)), reference["reward/pred"])
    close(jax.nn.sigmoid(over_time(model.continue_)(states.features)[..., 0]), reference["continue/prob"])


def test_imagination(reference, model, states):
    """Each step of the prior from the reference's own previous sample."""
    action = over_time(partial(action_vector, reference.spaces.action))(reference.action("input/imagined_action"))
    state = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)
    step = jax.vmap(lambda *a: model.world.imagine(*a, key=KEY))
    for i in range(CONFIG.horizon):
        state = step(state, action[:, i])
        close(state.deter, reference["imagine/deter"][:, i])
        close(state.logits, unimix(reference["imagine/logit"][:, i], CONFIG.rssm.unimix))
        state = eqx.tree_at(lambda s: s.stoch, state, reference["imagine/stoch"][:, i])


def test_actor(reference, model, imagined):
    actions = reference.action("input/imagined_action")
    log_prob, entropy = over_time(model.actor.judge)(imagined.features, actions)
    close(log_prob, reference["actor/logp"])
    close(entropy, reference["actor/entropy"])


def test_critics(reference, model, imagined):
    close(over_time(model.critic.value)(imagined.features), reference["critic/pred"])
    close(over_time(reference.slow_critic().value)(imagined.features), reference["slow_critic/pred"])


@pytest.fixture(scope="module")
def behaviour(reference, model, imagined):
    scale = ReturnScale(reference["input/return_scale_lo"], reference["input/return_scale_hi"])
    return dreamer3.behaviour_losses(model, reference.slow_critic(), scale, imagined, CONFIG)


def test_behaviour_losses(reference, behaviour):
    losses, returns, scale, facts = behaviour
    close(returns, reference["imagined/return"])
    close(scale.low, reference["return_scale/lo"])
    close(scale.high, reference["return_scale/hi"])
    close(losses["policy"], reference["loss/policy"])
    close(losses["value"], reference["loss/value"])
    close(facts["imagined_reward"], reference["imagined/reward"][:, 1:].mean())
    close(facts["imagined_continue"], reference["imagined/continue"][:, 1:].mean())


def test_replay_value_loss(reference, model, states, rows):
    bootstrap = reference["imagined/return"][:, 0].reshape(rows.reward.shape)
    loss = dreamer3.replay_value_loss(model, reference.slow_critic(), states, rows, bootstrap, CONFIG)
    close(loss, reference["loss/repval"])


def test_optimiser(reference):
    """AGC 0.3 and LaProp at step size 1e-2 without warm-up, over three updates of two tensors."""
    transform = dreamer3.optimiser(dreamer3.Config(learning_rate=1e-2, warmup=0))
    parameters = {name: reference[f"optimiser/param0/{name}"] for name in "ab"}
    state = transform.init(parameters)
    for n in (1, 2, 3):
        gradients = {name: reference[f"optimiser/grad{n}/{name}"] for name in "ab"}
        with jax.numpy_dtype_promotion("standard"):
            steps, state = transform.update(gradients, state, parameters)
        parameters = eqx.apply_updates(parameters, steps)
        for name in "ab":
            close(parameters[name], reference[f"optimiser/param{n}/{name}"])
