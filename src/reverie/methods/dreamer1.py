"""Dreamer: a world model of normals, and an actor-critic that learns through its imagination.

Hafner, Lillicrap, Ba, Norouzi, "Dream to control: learning behaviors by latent imagination", ICLR 2020
(arXiv 1912.01603), with the details of the authors' code.

    world model   L = -ln p(o) - ln p(r) + max(0, KL(q || p) - 3)
    actor         -sg(w_t) G_t                          the gradient is the dynamics' own
    critic        -sg(w_t) ln N(sg(G_t); v_t, 1),       w_t = c_1 ... c_{t-1}
    returns       G_t = r_t + c_t [(1 - 0.95) v_{t+1} + 0.95 G_{t+1}],  G_H = v_H;  t = 1 ... H - 1
    optimiser     Adam, one each for world model, actor and critic

Returns begin with the reward of the state itself, and the first state that counts is the first imagined one. Losses are
over [batch, time] or [start, horizon]. Where worlds end, c_t is predicted (-10 ln p(c)), else it is gamma; choices are
one-hot, straight-through.
Deviates: windows are drawn uniformly over rows and may hold several episodes (the authors' hold one, of an episode
that is drawn first); updates come evenly, not in hundreds; Adam's epsilon is optax's (TensorFlow's fades in); updates
that are not finite are skipped; float32; images of any size (`nn.pixels`), and vectors; rewards may be learned in
another unit (1 in the papers' sizes); `nano` and `tiny` are ours, for CPUs (`methods.dreamer1_config`).
"""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from reverie.behaviours.choosing import AtFirst, Explored, Mode
from reverie.behaviours.filter_policy import FilterPolicy
from reverie.behaviours.plain_actor import PlainActor
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.maths.action_distributions import TanhNormal
from reverie.maths.distributions import action_vector
from reverie.maths.divergences import gaussian_kl
from reverie.maths.optimisers import clipped_adam
from reverie.maths.returns import lambda_return
from reverie.methods.dreamer1_config import SIZES as SIZES
from reverie.methods.dreamer1_config import Config
from reverie.methods.dreamer1_config import options as options
from reverie.models.gaussian_rssm import GaussianBelief, GaussianRSSM
from reverie.models.plain_observation import PlainDecoder, PlainEncoder
from reverie.nn.gru import ResetAfterGRU
from reverie.nn.perceptron import Perceptron
from reverie.protocol import Trained
from reverie.rollout import filter, over_time, rollout_policy
from reverie.run import devices, failure
from reverie.run.dispatch import dispatch
from reverie.run.experience import Experience, Stack
from reverie.run.run import Run
from reverie.types import Sequence, Spaces


class Model(eqx.Module):
    """All that the optimisers move."""

    world: GaussianRSSM
    decoder: PlainDecoder
    reward: Perceptron
    continue_: Perceptron | None
    actor: PlainActor
    critic: Perceptron


class Learner(eqx.Module):
    """All that an update changes, and the key that update n folds n into."""

    model: Model
    optimiser: PyTree
    updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Model:
    """The networks, freshly initialised, for a world of these spaces."""
    keys = jr.split(key, 7)
    rssm, features, units, specs = config.rssm, config.rssm.features, config.units, spaces.observation
    seen = {"units": units, "layers": 2, "depth": config.depth, "activation": "elu", "pixel_activation": "relu"}
    encoder = PlainEncoder(specs, **seen, key=keys[0])
    head = partial(Perceptron, features, units, outputs=1, activation="elu")
    return Model(
        world=GaussianRSSM(encoder, spaces.action.width, rssm, cell=ResetAfterGRU, activation="elu", key=keys[1]),
        decoder=PlainDecoder(specs, features, **seen, key=keys[2]),
        reward=head(layers=2, key=keys[3]),
        continue_=head(layers=3, key=keys[4]) if config.continue_scale else None,
        actor=PlainActor(features, units, 4, spaces.action, normal=TanhNormal, key=keys[5]),
        critic=head(layers=3, key=keys[6]),
    )


def optimiser(config: Config) -> optax.GradientTransformation:
    """Adam for each of the three, on a gradient whose norm is limited first."""
    rates = {"world": config.learning_rate, "actor": config.actor_rate, "critic": config.critic_rate}
    adam = partial(clipped_adam, clip=config.gradient_clip, epsilon=config.epsilon)
    return optax.partition({part: adam(rate) for part, rate in rates.items()}, labels)


def labels(model: Model) -> Model:
    """Whose optimiser moves each array: the actor's, the critic's, or else the world model's."""
    world = jax.tree.map(lambda leaf: "world", model)
    others = [jax.tree.map(lambda leaf, name=name: name, getattr(model, name)) for name in ("actor", "critic")]
    return eqx.tree_at(lambda it: (it.actor, it.critic), world, tuple(others))


def initialise(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Learner:
    """A learner before its first update."""
    model_key, key = jr.split(key)
    model = build(spaces, config, key=model_key)
    moments = optimiser(config).init(eqx.filter(model, eqx.is_array))
    return Learner(model, moments, jnp.zeros((), jnp.int32), key)


def parameters(spaces: Spaces, config: Config) -> dict[str, int]:
    """Trainable parameters of each part, without building any."""
    model = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    names = {"world": "dynamics", "continue_": "continue"}
    parts = {"encoder": model.world.encoder} | {names.get(name) or name: part for name, part in vars(model).items()}
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}
    return counts | {"dynamics": counts["dynamics"] - counts["encoder"]}


def posterior(model: Model, batch: Stack, *, key: PRNGKeyArray) -> GaussianBelief:
    """q along the rows after the context, from no memory, but with the action that led to the first of them."""
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    previous = over_time(partial(action_vector, model.actor.spec))(batch.sequence.action[:, :-1])
    encoded = over_time(model.world.encode)(rows.observation)

    def along(previous: Array, encoded: Array, is_first: Array, key: PRNGKeyArray) -> GaussianBelief:
        return filter(model.world, model.world.initial(), previous, encoded, is_first, key=key)

    return jax.vmap(along)(previous, encoded, rows.is_first, jr.split(key, len(rows.reward)))


def world_model_losses(
    model: Model, states: GaussianBelief, rows: Sequence, config: Config
) -> dict[str, Float[Array, "batch time"]]:
    """Reconstruction, reward, continuation and the divergence at the posterior states of the rows."""
    prior = over_time(model.world.prior_normal)(states.deter)
    divergence = over_time(gaussian_kl)(states.mean, states.std, *prior)
    reward = rows.reward / config.reward_unit
    reward = jnp.tanh(reward) if config.squash_rewards else reward
    losses = {
        "divergence": jnp.maximum(0.0, divergence - config.free_nats),
        "reward": 0.5 * jnp.square(over_time(model.reward)(states.features)[..., 0] - reward),
    }
    if model.continue_ is not None:
        survival_logit = over_time(model.continue_)(states.features)[..., 0]
        losses["continue"] = optax.sigmoid_binary_cross_entropy(survival_logit, survival_of(rows, config))
    outputs = over_time(model.decoder)(states.features)
    errors = over_time(model.decoder.losses)(outputs, rows.observation)
    return losses | {f"reconstruction/{name}": error for name, error in errors.items()}


def survival_of(rows: Sequence, config: Config) -> Float[Array, "*shape"]:
    """gamma where the world goes on, 0 where it ended."""
    return (1 - rows.terminated.astype(jnp.float32)) * config.discount


class Imagined(NamedTuple):
    """What was dreamed from every start: features f_1 ... f_H."""

    features: Float[Array, "start horizon feature"]


def imagine(model: Model, states: GaussianBelief, config: Config, *, key: PRNGKeyArray) -> Imagined:
    """H steps of the prior from every state, with the actor's actions, which alone get gradients."""
    last = -1 if model.continue_ is not None else None  # where worlds end, the authors leave out each sequence's last
    starts = jax.tree.map(lambda x: x[:, :last].reshape(-1, *x.shape[2:]), states)
    world, starts = jax.lax.stop_gradient((model.world, starts))

    def choose(state: GaussianBelief, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        action = model.actor(jax.lax.stop_gradient(state.features)).sample(key=key)
        return action, action

    def dream(start: GaussianBelief, key: PRNGKeyArray) -> GaussianBelief:
        return rollout_policy(world, start, choose, config.horizon, key=key)[0]

    return Imagined(jax.vmap(dream)(starts, jr.split(key, len(starts.deter))).features)


def behaviour_losses(
    model: Model, imagined: Imagined, config: Config
) -> tuple[dict[str, Float[Array, "start _horizon"]], dict[str, Array]]:
    """The actor's and the critic's at f_1 ... f_{H-1}."""
    sg, features = jax.lax.stop_gradient, imagined.features
    frozen = sg(model)
    reward = over_time(frozen.reward)(features)[..., 0]
    survival = jnp.full_like(reward, config.discount)
    if frozen.continue_ is not None:
        survival = jax.nn.sigmoid(over_time(frozen.continue_)(features)[..., 0])
    value = over_time(frozen.critic)(features)[..., 0]

    returns = jax.vmap(partial(lambda_return, lambda_=config.lambda_))(reward[:, :-1], survival[:, :-1], value[:, 1:])
    weight = sg(jnp.cumprod(jnp.concatenate([jnp.ones_like(survival[:, :1]), survival[:, :-2]], axis=1), axis=1))
    predicted = over_time(model.critic)(sg(features)[:, :-1])[..., 0]
    losses = {
        "policy": -weight * returns,
        "value": weight * 0.5 * jnp.square(predicted - sg(returns)),
    }
    facts = {
        "imagined_return": returns.mean(), "imagined_reward": reward.mean(), "imagined_continue": survival.mean(),
        "value": predicted.mean(),
    }  # fmt: skip
    return losses, facts


def total_loss(
    model: Model, batch: Stack, config: Config, key: PRNGKeyArray
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The one scalar that is differentiated, in `model`: each term reaches one of the three parts alone."""
    filter_key, dream_key = jr.split(key)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    states = posterior(model, batch, key=filter_key)
    losses = world_model_losses(model, states, rows, config)
    imagined = imagine(model, states, config, key=dream_key)
    behaviour, facts = behaviour_losses(model, imagined, config)

    scales = {"divergence": config.kl_scale, "continue": config.continue_scale}
    means = {name: loss.mean() for name, loss in (losses | behaviour).items()}
    total = sum((scales.get(name, 1.0) * mean for name, mean in means.items()), jnp.zeros(()))
    return total, {"loss": total} | {f"loss/{name}": mean for name, mean in means.items()} | facts


def update(learner: Learner, batch: Stack, config: Config) -> tuple[Learner, tuple[dict[str, Array], dict[str, Array]]]:
    """One step of the optimisers: the learner after it, no latents to store, and metrics."""
    key = jr.fold_in(learner.key, learner.updates)
    gradient = eqx.filter_value_and_grad(total_loss, has_aux=True)
    (_, metrics), gradients = gradient(learner.model, batch, config, key)
    with jax.numpy_dtype_promotion("standard"):
        steps, moments = optimiser(config).update(gradients, learner.optimiser, eqx.filter(learner.model, eqx.is_array))
    model = eqx.apply_updates(learner.model, steps)
    metrics["gradient_norm"] = optax.tree.norm(gradients)
    after = Learner(model, moments, learner.updates + 1, learner.key)
    return after, ({}, metrics)


def train(run: Run, config: Config, environment: str | Factory, options: EnvironmentConfig) -> None:
    """Collect and learn, turn by turn, until the run's budget is spent; goes on from the run's newest checkpoint.

    Deterministic given the run's seed and the number of environments.
    """
    learner_key, act_key = jr.split(jr.key(run.seed))
    size = {"batch": config.batch, "length": config.length, "online": False}
    with Experience(environment, options, config.experience, **size, seed=run.seed) as experience:
        learner = initialise(experience.spaces, config, key=learner_key)
        experience.begin(explorer(learner, config, random=True), {}, lambda memory: {}, key=act_key)
        learner = devices.copy(experience.restore(run, learner))
        while experience.owing or not run.finished(experience.steps):
            recent = {}  # of this turn alone, for a resumed run knows of no other
            for episode in experience.collect(devices.first(explorer(learner, config, random=experience.filling))):
                run.log(experience.steps, **{"episode/return": episode.score, "episode/length": episode.length})
            for stack in experience.batches(lambda: run.due("checkpoint")):
                learner, (_, recent) = dispatch((update, config, stack), learner, experience.skipped_in_a_row)
                experience.write_back({}, recent["skipped"])
                failure.stop_if_hopeless(run, recent["skipped"], learner, stack)
            if recent and not experience.owing and run.due("log", experience.steps):
                means = {name: float(value.mean()) for name, value in recent.items()}
                run.log(experience.steps, updates=int(learner.updates), **means | experience.troubles)
            experience.keep(run, learner)
            if run.stop:
                return
        experience.save(run, learner)


def explorer(learner: Learner, config: Config, *, random: bool) -> FilterPolicy:
    """What collects: samples of the actor with noise, but at first anything."""
    world, actor = learner.model.world, learner.model.actor
    passed = jnp.minimum(1.0, learner.updates / max(1, config.noise_updates))
    noise = config.noise + (config.last_noise - config.noise) * passed
    return FilterPolicy(world, AtFirst(Explored(actor, noise), actor.spec, jnp.asarray(random)), actor.spec)


def policy(model: Model) -> FilterPolicy:
    """What acts: the world model's filter and the actor's mode."""
    return FilterPolicy(model.world, Mode(model.actor), model.actor.spec)


def load(run: Run, config: Config, spaces: Spaces) -> Trained:
    """The newest checkpoint of a run, with every head that its world model has."""
    like = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    return trained(run.weights(like, under="learner.model"), spaces, config)


def trained(model: Model, spaces: Spaces, config: Config) -> Trained:
    """What acts, dreams and judges, without what only learning needs."""

    def reward(head: Perceptron, state: GaussianBelief) -> Float[Array, ""]:
        predicted = head(state.features)[0]
        predicted = jnp.arctanh(jnp.clip(predicted, -0.999, 0.999)) if config.squash_rewards else predicted
        return config.reward_unit * predicted

    heads = {
        "decode": lambda decoder, state: decoder.observation(decoder(state.features)),
        "reward": reward,
        "continue": lambda head, state: jax.nn.sigmoid(head(state.features)[0]),
        "value": lambda critic, state: config.reward_unit * critic(state.features)[0],
    }
    parts = {"decode": model.decoder, "reward": model.reward, "continue": model.continue_, "value": model.critic}
    bound = {name: eqx.Partial(head, parts[name]) for name, head in heads.items() if parts[name] is not None}
    return Trained(spaces, model.world, policy(model), bound)
