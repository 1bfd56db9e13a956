"""PlaNet: a world model of normals, and a planner that searches in its imagination, anew in every step.

Hafner, Lillicrap, Fischer, Villegas, Ha, Lee, Davidson, "Learning latent dynamics for planning from pixels", ICML 2019
(arXiv 1811.04551), with the details of the authors' code.

    world model   L = -ln p(o) - 10 ln p(r) + max(0, KL(q || p) - 3)
    overshooting  + beta max(0, KL(sg(q_t) || p(s_t | s_{t-d}, a)) - 3),  d = 2 ... D           an option, off
    planner       CEM: 10 times, 1000 plans of 12 actions, refitted to the best 100; worth: the sum of predicted rewards
    optimiser     Adam
    collecting    one episode per 100 updates, plans with N(0, 0.3) added

Images have five bits and noise in between, while learning and while acting. Losses are over [batch, time].
Deviates: windows are drawn uniformly over rows and may hold several episodes (the authors' hold one, half of them of
what came lately); Adam's epsilon is optax's (TensorFlow's fades in); updates that are not finite are skipped; float32;
images of any size (`nn.pixels`), and vectors and choices; `nano` and `tiny` are ours, for CPUs, and collect evenly, in
several environments (`methods.planet_config`).
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from reverie.behaviours.choosing import AtFirst, Planning
from reverie.behaviours.filter_policy import FilterPolicy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.maths.distributions import action_vector
from reverie.maths.divergences import gaussian_kl
from reverie.maths.optimisers import clipped_adam
from reverie.methods.planet_config import SIZES as SIZES
from reverie.methods.planet_config import Config
from reverie.methods.planet_config import options as options
from reverie.models.gaussian_rssm import GaussianBelief, GaussianRSSM
from reverie.models.plain_observation import PlainDecoder, PlainEncoder, dequantised
from reverie.nn.gru import GRU
from reverie.nn.perceptron import Perceptron
from reverie.protocol import Trained
from reverie.rollout import filter, over_time, rollout
from reverie.run import devices, failure
from reverie.run.dispatch import dispatch
from reverie.run.experience import Experience, Stack
from reverie.run.run import Run
from reverie.types import ArraySpec, Sequence, Spaces


class Model(eqx.Module):
    """All that the optimiser moves."""

    world: GaussianRSSM
    decoder: PlainDecoder
    reward: Perceptron
    spec: ArraySpec = eqx.field(static=True)
    """The action's."""


class Learner(eqx.Module):
    """All that an update changes, and the key that update n folds n into."""

    model: Model
    optimiser: PyTree
    updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Model:
    """The networks, freshly initialised, for a world of these spaces."""
    keys = jr.split(key, 4)
    rssm, units, specs = config.rssm, config.units, spaces.observation
    seen = {"units": units, "layers": 2, "depth": config.depth, "activation": "relu", "pixel_activation": "relu"}
    encoder = PlainEncoder(specs, **seen, five_bits=True, key=keys[0])
    return Model(
        world=GaussianRSSM(encoder, spaces.action.width, rssm, cell=GRU, activation="relu", key=keys[1]),
        decoder=PlainDecoder(specs, rssm.features, **seen, five_bits=True, key=keys[2]),
        reward=Perceptron(rssm.features, units, 3, 1, activation="relu", key=keys[3]),
        spec=spaces.action,
    )


def optimiser(config: Config) -> optax.GradientTransformation:
    """Adam, on a gradient whose norm is limited first."""
    return clipped_adam(config.learning_rate, clip=config.gradient_clip, epsilon=config.epsilon)


def initialise(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Learner:
    """A learner before its first update."""
    model_key, key = jr.split(key)
    model = build(spaces, config, key=model_key)
    moments = optimiser(config).init(eqx.filter(model, eqx.is_array))
    return Learner(model, moments, jnp.zeros((), jnp.int32), key)


def parameters(spaces: Spaces, config: Config) -> dict[str, int]:
    """Trainable parameters of each part, without building any."""
    model = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    parts = {"encoder": model.world.encoder, "dynamics": model.world, "decoder": model.decoder, "reward": model.reward}
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}
    return counts | {"dynamics": counts["dynamics"] - counts["encoder"]}


def posterior(model: Model, batch: Stack, *, key: PRNGKeyArray) -> GaussianBelief:
    """q along the rows after the context, from no memory, but with the action that led to the first of them."""
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    previous = over_time(partial(action_vector, model.spec))(batch.sequence.action[:, :-1])
    encoded = over_time(model.world.encode)(rows.observation)

    def along(previous: Array, encoded: Array, is_first: Array, key: PRNGKeyArray) -> GaussianBelief:
        return filter(model.world, model.world.initial(), previous, encoded, is_first, key=key)

    return jax.vmap(along)(previous, encoded, rows.is_first, jr.split(key, len(rows.reward)))


def world_model_losses(
    model: Model, states: GaussianBelief, rows: Sequence, config: Config
) -> dict[str, Float[Array, "batch time"]]:
    """Reconstruction, reward and the divergence at the posterior states of the rows."""
    prior = over_time(model.world.prior_normal)(states.deter)
    divergence = over_time(gaussian_kl)(states.mean, states.std, *prior)
    losses = {
        "divergence": jnp.maximum(0.0, divergence - config.free_nats),
        "reward": 0.5 * jnp.square(over_time(model.reward)(states.features)[..., 0] - rows.reward),
    }
    outputs = over_time(model.decoder)(states.features)
    errors = over_time(model.decoder.losses)(outputs, rows.observation)
    return losses | {f"reconstruction/{name}": error for name, error in errors.items()}


def overshooting_loss(
    model: Model, states: GaussianBelief, batch: Stack, config: Config, *, key: PRNGKeyArray
) -> Float[Array, ""]:
    """Mean over all pairs of a row and one d rows later, 2 <= d <= D, of the same episode and window.

    From the state of the first the prior is rolled out along the actions in between; what it then expects is compared
    with the posterior of the second, which gets no gradient.
    """
    vectors = over_time(partial(action_vector, model.spec))(batch.sequence.action[:, 1:])
    time = jnp.arange(config.length)
    later = time[:, None] + 1 + jnp.arange(config.overshooting)[None]
    inside = later < config.length
    later = jnp.minimum(later, config.length - 1)
    target_mean, target_std = jax.lax.stop_gradient((states.mean, states.std))

    def compare(states: GaussianBelief, mean: Array, std: Array, vectors: Array, is_first: Array, key: PRNGKeyArray):
        def from_row(state: GaussianBelief, row: Array, later: Array, inside: Array, key: PRNGKeyArray):
            plan = vectors[jnp.minimum(row + jnp.arange(config.overshooting), config.length - 1)]
            expected = rollout(model.world, state, plan, key=key)
            divergence = jax.vmap(gaussian_kl)(mean[later], std[later], expected.mean, expected.std)
            whole = inside & (jnp.cumsum(is_first[later]) == 0) & (jnp.arange(config.overshooting) > 0)
            return jnp.where(whole, jnp.maximum(0.0, divergence - config.free_nats), 0.0), whole

        return jax.vmap(from_row)(states, time, later, inside, jr.split(key, config.length))

    is_first, keys = batch.sequence.is_first[:, 1:], jr.split(key, len(batch.sequence.reward))
    losses, whole = jax.vmap(compare)(states, target_mean, target_std, vectors, is_first, keys)
    return jnp.sum(losses) / jnp.maximum(1.0, jnp.sum(whole.astype(jnp.float32)))


def total_loss(
    model: Model, batch: Stack, config: Config, key: PRNGKeyArray
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The one scalar that is differentiated, in `model`."""
    see_key, filter_key, overshooting_key = jr.split(key, 3)
    batch = seen(model, batch, key=see_key)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    states = posterior(model, batch, key=filter_key)
    losses = world_model_losses(model, states, rows, config)
    means = {name: loss.mean() for name, loss in losses.items()}
    if config.overshooting > 1:
        means["overshooting"] = overshooting_loss(model, states, batch, config, key=overshooting_key)

    scales = {"divergence": config.kl_scale, "reward": config.reward_scale, "overshooting": config.overshooting_scale}
    scales |= {"divergence": 0.0} if config.rssm.kind == "rnn" else {}
    total = sum((scales.get(name, 1.0) * mean for name, mean in means.items()), jnp.zeros(()))
    return total, {"loss": total} | {f"loss/{name}": mean for name, mean in means.items()}


def seen(model: Model, batch: Stack, *, key: PRNGKeyArray) -> Stack:
    """The batch with its images in five bits, and noise in between."""
    see = partial(dequantised, model.world.encoder.specs, key=key)
    return batch._replace(sequence=batch.sequence._replace(observation=see(batch.sequence.observation)))


def update(learner: Learner, batch: Stack, config: Config) -> tuple[Learner, tuple[dict[str, Array], dict[str, Array]]]:
    """One step of the optimiser: the learner after it, no latents to store, and metrics."""
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
        experience.begin(
            policy(learner.model, config, noise=config.noise, random=True), {}, lambda memory: {}, key=act_key
        )
        learner = devices.copy(experience.restore(run, learner))
        while experience.owing or not run.finished(experience.steps):
            recent = {}  # of this turn alone, for a resumed run knows of no other
            for episode in experience.collect(
                devices.first(policy(learner.model, config, noise=config.noise, random=experience.filling))
            ):
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


def policy(model: Model, config: Config, *, noise: float = 0.0, random: bool = False) -> FilterPolicy:
    """What acts: the world model's filter and the first action of a plan; or, at first, anything."""
    plan = Planning(model.world, eqx.Partial(_reward, model.reward), model.spec, config.horizon, config.planner, noise)
    see = eqx.Partial(dequantised, model.world.encoder.specs)
    return FilterPolicy(model.world, AtFirst(plan, model.spec, jnp.asarray(random)), model.spec, see)


def load(run: Run, config: Config, spaces: Spaces) -> Trained:
    """The newest checkpoint of a run, with every head that its world model has."""
    like = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    return trained(run.weights(like, under="learner.model"), spaces, config)


def trained(model: Model, spaces: Spaces, config: Config) -> Trained:
    """What acts and dreams, without what only learning needs."""
    heads = {"decode": eqx.Partial(_decode, model.decoder), "reward": eqx.Partial(_reward, model.reward)}
    return Trained(spaces, model.world, policy(model, config), heads)


def _decode(decoder: PlainDecoder, state: GaussianBelief) -> dict[str, Array]:
    return decoder.observation(decoder(state.features))


def _reward(head: Perceptron, state: GaussianBelief) -> Float[Array, ""]:
    return head(state.features)[0]
