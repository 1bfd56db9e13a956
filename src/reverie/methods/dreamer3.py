"""DreamerV3: a world model of symlogs and categoricals, and an actor-critic that learns in its imagination.

Hafner, Pasukonis, Ba, Lillicrap, "Mastering diverse control tasks through world models", Nature 2025, doi
10.1038/s41586-025-08744-2 (arXiv 2301.04104v2), with the details of the authors' code of 2025.

    world model   L = rec + rew + con + max(1, KL(sg(q) || p)) + 0.1 max(1, KL(q || sg(p)))
    actor         -sg(w_t) [ sg((R_t - v_t) / S) ln pi(a_t | s_t) + 3e-4 H(pi) ],   w_t = con_0 ... con_t
    critic        -sg(w_t) [ ln p(R_t | s_t) + ln p(v_slow(s_t) | s_t) ], and 0.3 of the same on replayed states
    returns       R_t = r_{t+1} + c_{t+1} [(1 - 0.95) v_{t+1} + 0.95 R_{t+1}],  c already holds the discount (contdisc)
    optimiser     one AGC + LaProp for everything, learning rate warmed up from 0

Losses are over [batch, time] or [start, horizon]; start b * time + t is the posterior state at (b, t).
Deviates: the discrete actor mixes in 1 % uniform, as the papers (the code forgets it); batches are drawn one dispatch
ahead, and its updates read latents as stored before it; the replay keeps 8 GiB; updates that are not finite are
skipped; float32 on CPUs; images of any size (`nn.image`); `nano` and `tiny` are ours (`methods.dreamer3_config`).
"""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from reverie.behaviours.actor_critic import Actor, Critic, follow
from reverie.behaviours.choosing import Sampled
from reverie.behaviours.filter_policy import FilterPolicy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.maths.distributions import action_vector
from reverie.maths.divergences import categorical_kl
from reverie.maths.optimisers import adaptive_gradient_clip, laprop
from reverie.maths.return_scale import ReturnScale
from reverie.maths.returns import lambda_return
from reverie.maths.scaling import BINS, two_hot_loss, two_hot_mean
from reverie.methods.dreamer3_config import NANO as NANO
from reverie.methods.dreamer3_config import SIZES as SIZES
from reverie.methods.dreamer3_config import Config
from reverie.models.observation import ObservationDecoder, ObservationEncoder, reconstruction_loss
from reverie.models.rssm import RSSM, Belief
from reverie.nn.mlp import Head
from reverie.protocol import Trained
from reverie.rollout import filter, over_time, rollout_policy
from reverie.run import devices, failure
from reverie.run.dispatch import dispatch
from reverie.run.experience import Experience, Stack
from reverie.run.run import Run
from reverie.types import Sequence, Spaces


class Model(eqx.Module):
    """All that the optimiser moves."""

    world: RSSM
    decoder: ObservationDecoder
    reward: Head
    continue_: Head
    actor: Actor
    critic: Critic


class Learner(eqx.Module):
    """All that an update changes, and the key that update n folds n into."""

    model: Model
    slow_critic: Critic
    return_scale: ReturnScale
    optimiser: PyTree
    updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Model:
    """The networks, freshly initialised, for a world of these spaces."""
    keys = jr.split(key, 7)
    rssm, units, specs = config.rssm, config.units, spaces.observation
    sizes = {"units": units, "depth": config.depth, "multipliers": config.multipliers}
    encoder = ObservationEncoder(specs, **sizes, dtype=devices.compute_dtype(config.dtype), key=keys[0])
    state = {"deter": rssm.deter, "latent": rssm.latent, "blocks": rssm.blocks}
    return Model(
        world=RSSM(encoder, spaces.action.width, rssm, key=keys[1]),
        decoder=ObservationDecoder(specs, **state, **sizes, key=keys[2]),
        reward=Head(rssm.features, units, 1, BINS, scale=0.0, key=keys[3]),
        continue_=Head(rssm.features, units, 1, 1, key=keys[4]),
        actor=Actor(rssm.features, units, spaces.action, mix=rssm.unimix, key=keys[5]),
        critic=Critic(rssm.features, units, key=keys[6]),
    )


def optimiser(config: Config) -> optax.GradientTransformation:
    """AGC, then LaProp, then the warmed-up step size; the very first update has step size 0."""
    rate = optax.linear_schedule(0.0, config.learning_rate, config.warmup) if config.warmup else config.learning_rate
    return optax.chain(adaptive_gradient_clip(config.gradient_clip), laprop(), optax.scale_by_learning_rate(rate))


def initialise(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Learner:
    """A learner before its first update; the slow critic starts as a copy."""
    model_key, key = jr.split(key)
    model = build(spaces, config, key=model_key)
    moments = optimiser(config).init(eqx.filter(model, eqx.is_array))
    slow_critic = jax.tree.map(jnp.copy, model.critic)
    return Learner(model, slow_critic, ReturnScale.initial(), moments, jnp.zeros((), jnp.int32), key)


def parameters(spaces: Spaces, config: Config) -> dict[str, int]:
    """Trainable parameters of each part, without building any; the slow critic is not trained and not counted."""
    model = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    names = {"world": "dynamics", "continue_": "continue"}
    parts = {"encoder": model.world.encoder} | {names.get(name) or name: part for name, part in vars(model).items()}
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}
    return counts | {"dynamics": counts["dynamics"] - counts["encoder"]}


def posterior(model: Model, batch: Stack, *, key: PRNGKeyArray) -> Belief:
    """q along the rows after the context, from the context's stored latents and its stored action."""
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    previous = over_time(partial(action_vector, model.actor.spec))(batch.sequence.action[:, :-1])
    encoded = over_time(model.world.encode)(rows.observation)
    start = jax.vmap(model.world.recall)(batch.context)

    def along(start: Belief, previous: Array, encoded: Array, is_first: Array, key: PRNGKeyArray) -> Belief:
        return filter(model.world, start, previous, encoded, is_first, key=key)

    return jax.vmap(along)(start, previous, encoded, rows.is_first, jr.split(key, len(rows.reward)))


def world_model_losses(
    model: Model, states: Belief, rows: Sequence, config: Config
) -> dict[str, Float[Array, "batch time"]]:
    """Reconstruction, reward, continuation and the two divergences at the posterior states of the rows."""
    sg, divergence = jax.lax.stop_gradient, over_time(categorical_kl)
    prior = over_time(model.world.prior_logits)(states.deter)
    survival = (1 - rows.terminated.astype(jnp.float32)) * config.discount
    survival_logit = over_time(model.continue_)(states.features)[..., 0]
    losses = {
        "dynamics": jnp.maximum(config.free_nats, divergence(sg(states.logits), prior)),
        "representation": jnp.maximum(config.free_nats, divergence(states.logits, sg(prior))),
        "reward": over_time(two_hot_loss)(over_time(model.reward)(states.features), rows.reward),
        "continue": optax.sigmoid_binary_cross_entropy(survival_logit, survival),
    }
    outputs = over_time(model.decoder)(states.deter, states.stoch)
    for name, output in outputs.items():
        error = partial(reconstruction_loss, model.decoder.specs[name])
        losses[f"reconstruction/{name}"] = over_time(error)(output, rows.observation[name])
    return losses


class Imagined(NamedTuple):
    """What was dreamed from every start: features f_0 ... f_H, actions a_0 ... a_{H-1}; no gradient."""

    features: Float[Array, "start horizon1 feature"]
    actions: Array


def imagine(model: Model, states: Belief, config: Config, *, key: PRNGKeyArray) -> Imagined:
    """H steps of the prior from every state, with the actor's actions."""
    starts = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)
    model, starts = jax.lax.stop_gradient((model, starts))

    def choose(state: Belief, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        action = model.actor(state.features).sample(key=key)
        return action, action_vector(model.actor.spec, action)

    def dream(start: Belief, key: PRNGKeyArray) -> tuple[Belief, Array]:
        return rollout_policy(model.world, start, choose, config.horizon, key=key)

    dreamed, actions = jax.vmap(dream)(starts, jr.split(key, len(starts.deter)))
    features = jnp.concatenate([starts.features[:, None], dreamed.features], axis=1)
    return jax.lax.stop_gradient(Imagined(features, actions))


def behaviour_losses(
    model: Model, slow_critic: Critic, return_scale: ReturnScale, imagined: Imagined, config: Config
) -> tuple[dict[str, Float[Array, "start horizon"]], Float[Array, "start horizon"], ReturnScale, dict[str, Array]]:
    """REINFORCE for the actor and the two cross-entropies of the critic; also the returns R_0 ... R_{H-1}."""
    frozen, features = jax.lax.stop_gradient(model), imagined.features
    reward = over_time(two_hot_mean)(over_time(frozen.reward)(features))
    survival = jax.nn.sigmoid(over_time(frozen.continue_)(features)[..., 0])
    value_logits = over_time(model.critic)(features)
    value = jax.lax.stop_gradient(over_time(two_hot_mean)(value_logits))

    returns = jax.vmap(partial(lambda_return, lambda_=config.lambda_))(reward[:, 1:], survival[:, 1:], value[:, 1:])
    return_scale = return_scale.update(returns, rate=config.return_rate)
    weight = jnp.cumprod(survival, axis=1)[:, :-1]
    advantage = (returns - value[:, :-1]) / return_scale.scale()

    log_prob, entropy = over_time(model.actor.judge)(features[:, :-1], imagined.actions)
    slow_value = over_time(slow_critic.value)(features[:, :-1])
    losses = {
        "policy": -weight * (log_prob * advantage + config.entropy * entropy),
        "value": weight * critic_loss(value_logits[:, :-1], returns, slow_value),
    }
    facts = {
        "entropy": entropy.mean(), "imagined_return": returns.mean(), "imagined_reward": reward[:, 1:].mean(),
        "imagined_continue": survival[:, 1:].mean(), "return_scale": return_scale.scale(),
        "advantage_size": jnp.abs(advantage).mean(), "value": value.mean(),
    }  # fmt: skip
    return losses, returns, return_scale, facts


def replay_value_loss(
    model: Model,
    slow_critic: Critic,
    states: Belief,
    rows: Sequence,
    bootstrap: Float[Array, "batch time"],
    config: Config,
) -> Float[Array, "batch time1"]:
    """The critic on what really happened, bootstrapped with imagined returns; its gradient reaches the world model."""
    is_last, terminated = rows.is_last.astype(jnp.float32), rows.terminated.astype(jnp.float32)
    survival, chain = (1 - terminated) * config.discount, (1 - is_last) * config.lambda_
    returns = jax.vmap(lambda_return)(rows.reward[:, 1:], survival[:, 1:], bootstrap[:, 1:], chain[:, 1:])
    features = states.features[:, :-1]
    slow_value = over_time(slow_critic.value)(features)
    return (1 - is_last[:, :-1]) * critic_loss(over_time(model.critic)(features), returns, slow_value)


def critic_loss(
    logits: Float[Array, "*shape bins"], target: Float[Array, "*shape"], slow_value: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """-ln p(R) - ln p(v_slow): towards the return, and not far from the slow critic's scalar prediction."""
    towards = over_time(two_hot_loss)
    return towards(logits, jax.lax.stop_gradient(target)) + towards(logits, jax.lax.stop_gradient(slow_value))


def total_loss(
    model: Model, learner: Learner, batch: Stack, config: Config, key: PRNGKeyArray
) -> tuple[Float[Array, ""], tuple[Belief, ReturnScale, dict[str, Array]]]:
    """The one scalar that is differentiated, in `model`: every loss's mean times its scale."""
    filter_key, dream_key = jr.split(key)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    states = posterior(model, batch, key=filter_key)
    losses = world_model_losses(model, states, rows, config)
    imagined = imagine(model, states, config, key=dream_key)
    behaviour, returns, return_scale, facts = behaviour_losses(
        model, learner.slow_critic, learner.return_scale, imagined, config
    )
    losses |= behaviour
    bootstrap = returns[:, 0].reshape(rows.reward.shape)
    losses["replay_value"] = replay_value_loss(model, learner.slow_critic, states, rows, bootstrap, config)

    scales = {"dynamics": config.dynamics_scale, "representation": config.representation_scale}
    scales["replay_value"] = config.replay_value_scale
    means = {name: loss.mean() for name, loss in losses.items()}
    total = sum((scales.get(name, 1.0) * mean for name, mean in means.items()), jnp.zeros(()))
    metrics = {"loss": total} | {f"loss/{name}": mean for name, mean in means.items()} | facts
    return total, (states, return_scale, metrics)


def update(learner: Learner, batch: Stack, config: Config) -> tuple[Learner, tuple[dict[str, Array], dict[str, Array]]]:
    """One step of the optimiser: the learner after it, the new latents of the rows after the context, and metrics."""
    key = jr.fold_in(learner.key, learner.updates)
    gradient = eqx.filter_value_and_grad(total_loss, has_aux=True)
    (_, (states, return_scale, metrics)), gradients = gradient(learner.model, learner, batch, config, key)
    with jax.numpy_dtype_promotion("standard"):
        steps, moments = optimiser(config).update(gradients, learner.optimiser, eqx.filter(learner.model, eqx.is_array))
    model = eqx.apply_updates(learner.model, steps)
    slow_critic = follow(learner.slow_critic, model.critic, rate=config.slow_rate)
    metrics["gradient_norm"] = optax.tree.norm(gradients)
    after = Learner(model, slow_critic, return_scale, moments, learner.updates + 1, learner.key)
    return after, (states.latents, metrics)


def train(run: Run, config: Config, environment: str | Factory, options: EnvironmentConfig) -> None:
    """Collect and learn, turn by turn, until the run's budget is spent; goes on from the run's newest checkpoint.

    Deterministic given the run's seed and the number of environments.
    """
    learner_key, act_key = jr.split(jr.key(run.seed))
    batch, length, seed = config.batch, config.length, run.seed
    with Experience(environment, options, config.experience, batch=batch, length=length, seed=seed) as experience:
        learner = initialise(experience.spaces, config, key=learner_key)
        experience.begin(policy(learner.model), learner.model.world.latents, lambda memory: memory.latents, key=act_key)
        learner = devices.copy(experience.restore(run, learner))
        while experience.owing or not run.finished(experience.steps):
            recent = {}  # of this turn alone, for a resumed run knows of no other
            for episode in experience.collect(devices.first(policy(learner.model))):
                run.log(experience.steps, **{"episode/return": episode.score, "episode/length": episode.length})
            for stack in experience.batches(lambda: run.due("checkpoint")):
                learner, (latents, recent) = dispatch((update, config, stack), learner, experience.skipped_in_a_row)
                experience.write_back(latents, recent["skipped"])
                failure.stop_if_hopeless(run, recent["skipped"], learner, stack)
            if recent and not experience.owing and run.due("log", experience.steps):
                means = {name: float(value.mean()) for name, value in recent.items()}
                run.log(experience.steps, updates=int(learner.updates), **means | experience.troubles)
            experience.keep(run, learner)
            if run.stop:
                return
        experience.save(run, learner)


def policy(model: Model) -> FilterPolicy:
    """What acts: the world model's filter and samples of the actor."""
    return FilterPolicy(model.world, Sampled(model.actor), model.actor.spec)


def load(run: Run, config: Config, spaces: Spaces) -> Trained:
    """The newest checkpoint of a run, with every head a world model can have."""
    like = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    return trained(run.weights(like, under="learner.model"), spaces)


def trained(model: Model, spaces: Spaces) -> Trained:
    """What acts, dreams and judges, without what only learning needs."""
    heads = {
        "decode": lambda decoder, state: decoder.observation(decoder(state.deter, state.stoch)),
        "reward": lambda head, state: two_hot_mean(head(state.features)),
        "continue": lambda head, state: jax.nn.sigmoid(head(state.features)[0]),
        "value": lambda critic, state: critic.value(state.features),
    }
    parts = {"decode": model.decoder, "reward": model.reward, "continue": model.continue_, "value": model.critic}
    bound = {name: eqx.Partial(head, parts[name]) for name, head in heads.items()}
    return Trained(spaces, model.world, policy(model), bound)
