"""DreamerV2: a world model of categoricals, balanced divergences, and an actor-critic that learns in its imagination.

Hafner, Lillicrap, Norouzi, Ba, "Mastering Atari with discrete world models", ICLR 2021 (arXiv 2010.02193), with the
details of the authors' code.

    world model   L = -ln p(o) - ln p(r) - 5 ln p(c) + 0.1 [0.8 KL(sg(q) || p) + 0.2 KL(q || sg(p))]
    actor         -sg(w_t) [rho sg(G_{t+1} - v'_t) ln pi(a_t | s_t) + (1 - rho) G_{t+1} + eta H(pi)],   t < H - 1
    critic        -sg(w_t) ln N(sg(G_t); v_t, 1),     w_t = c_0 ... c_{t-1}
    returns       G_t = r_t + c_t [(1 - 0.95) v'_{t+1} + 0.95 G_{t+1}],  G_H = v'_H;  c already holds the discount
    optimiser     Adam with weight decay, one each for world model, actor and critic; v' is v as it was lately

Returns begin with the reward of the state itself. rho is 1 for choices and 0 for numbers: the gradient is REINFORCE's,
or the dynamics' own. Losses are over [batch, time] or [start, horizon]; start b * time + t is the posterior at (b, t).
Deviates: windows are drawn uniformly over rows and may hold several episodes (the authors' hold one, of an episode
that is drawn first, and lie more often at its end on Atari); behaviours learn in the world model as it was before its
update, not after; updates that are not finite are skipped; float32; images of any size (`nn.pixels`); rewards
may be learned in another unit (1 in the papers' sizes); `nano` and `tiny` are ours, for CPUs
(`methods.dreamer2_config`).
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
from reverie.maths.action_distributions import TanhNormal, TruncatedNormal
from reverie.maths.distributions import action_vector
from reverie.maths.divergences import categorical_kl
from reverie.maths.optimisers import clipped_adam
from reverie.maths.returns import lambda_return
from reverie.methods.dreamer2_config import SIZES as SIZES
from reverie.methods.dreamer2_config import Config
from reverie.methods.dreamer2_config import options as options
from reverie.models.discrete_rssm import DiscreteRSSM
from reverie.models.plain_observation import PlainDecoder, PlainEncoder
from reverie.models.rssm import Belief
from reverie.nn.perceptron import Perceptron
from reverie.protocol import Trained
from reverie.rollout import filter, over_time, rollout_policy
from reverie.run import devices, failure
from reverie.run.dispatch import dispatch
from reverie.run.experience import Experience, Stack
from reverie.run.run import Run
from reverie.types import ArraySpec, Sequence, Spaces


class Model(eqx.Module):
    """All that the optimisers move."""

    world: DiscreteRSSM
    decoder: PlainDecoder
    reward: Perceptron
    continue_: Perceptron | None
    actor: PlainActor
    critic: Perceptron


class Learner(eqx.Module):
    """All that an update changes, and the key that update n folds n into."""

    model: Model
    slow_critic: Perceptron
    optimiser: PyTree
    updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Model:
    """The networks, freshly initialised, for a world of these spaces."""
    keys = jr.split(key, 7)
    rssm, features, specs = config.rssm, config.rssm.features, spaces.observation
    hidden = {"units": config.units, "layers": config.layers, "norm": config.norm}
    seen = {**hidden, "depth": config.depth, "activation": "elu", "pixel_activation": "elu"}
    encoder = PlainEncoder(specs, **seen, key=keys[0])
    head = partial(Perceptron, features, outputs=1, activation="elu", **hidden)
    return Model(
        world=DiscreteRSSM(encoder, spaces.action.width, rssm, norm=config.norm, key=keys[1]),
        decoder=PlainDecoder(specs, features, **seen, key=keys[2]),
        reward=head(key=keys[3]),
        continue_=head(key=keys[4]) if config.continue_scale else None,
        actor=PlainActor(features, spec=spaces.action, normal=TruncatedNormal, **hidden, key=keys[5]),
        critic=head(key=keys[6]),
    )


def optimiser(config: Config) -> optax.GradientTransformation:
    """Adam for each of the three, on a gradient whose norm is limited first."""
    rates = {"world": config.learning_rate, "actor": config.actor_rate, "critic": config.critic_rate}
    adam = partial(clipped_adam, clip=config.gradient_clip, epsilon=config.epsilon, decay=config.decay)
    return optax.partition({part: adam(rate) for part, rate in rates.items()}, labels)


def labels(model: Model) -> Model:
    """Whose optimiser moves each array: the actor's, the critic's, or else the world model's."""
    world = jax.tree.map(lambda leaf: "world", model)
    others = [jax.tree.map(lambda leaf, name=name: name, getattr(model, name)) for name in ("actor", "critic")]
    return eqx.tree_at(lambda it: (it.actor, it.critic), world, tuple(others))


def initialise(spaces: Spaces, config: Config, *, key: PRNGKeyArray) -> Learner:
    """A learner before its first update; the slow critic starts as a copy."""
    model_key, key = jr.split(key)
    model = build(spaces, config, key=model_key)
    moments = optimiser(config).init(eqx.filter(model, eqx.is_array))
    slow_critic = jax.tree.map(jnp.copy, model.critic)
    return Learner(model, slow_critic, moments, jnp.zeros((), jnp.int32), key)


def parameters(spaces: Spaces, config: Config) -> dict[str, int]:
    """Trainable parameters of each part, without building any; the slow critic is not trained and not counted."""
    model = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    names = {"world": "dynamics", "continue_": "continue"}
    parts = {"encoder": model.world.encoder} | {names.get(name) or name: part for name, part in vars(model).items()}
    counts = {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}
    return counts | {"dynamics": counts["dynamics"] - counts["encoder"]}


def posterior(model: Model, batch: Stack, *, key: PRNGKeyArray) -> Belief:
    """q along the rows after the context, from nothing: the first of them counts as the first of an episode."""
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    previous = over_time(partial(action_vector, model.actor.spec))(batch.sequence.action[:, :-1])
    encoded = over_time(model.world.encode)(rows.observation)
    is_first = rows.is_first.at[:, 0].set(True)

    def along(previous: Array, encoded: Array, is_first: Array, key: PRNGKeyArray) -> Belief:
        return filter(model.world, model.world.initial(), previous, encoded, is_first, key=key)

    return jax.vmap(along)(previous, encoded, is_first, jr.split(key, len(rows.reward)))


def world_model_losses(
    model: Model, states: Belief, rows: Sequence, config: Config
) -> dict[str, Float[Array, "batch time"]]:
    """Reconstruction, reward, continuation and the two divergences at the posterior states of the rows."""
    sg, divergence = jax.lax.stop_gradient, over_time(categorical_kl)
    prior = over_time(model.world.prior_logits)(states.deter)
    reward = rows.reward / config.reward_unit
    reward = jnp.tanh(reward) if config.squash_rewards else reward
    losses = {
        "dynamics": divergence(sg(states.logits), prior),
        "representation": divergence(states.logits, sg(prior)),
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
    """What was dreamed from every start: features f_0 ... f_H, actions a_0 ... a_{H-1} as vectors."""

    features: Float[Array, "start horizon1 feature"]
    actions: Float[Array, "start horizon action"]


def imagine(model: Model, states: Belief, config: Config, *, key: PRNGKeyArray) -> Imagined:
    """H steps of the prior from every state, with the actor's actions, which alone get gradients."""
    starts = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), states)
    world, starts = jax.lax.stop_gradient((model.world, starts))

    def choose(state: Belief, key: PRNGKeyArray) -> tuple[Array, Float[Array, "action"]]:
        action = model.actor(jax.lax.stop_gradient(state.features)).sample(key=key)
        return action, action

    def dream(start: Belief, key: PRNGKeyArray) -> tuple[Belief, Array]:
        return rollout_policy(world, start, choose, config.horizon, key=key)

    dreamed, actions = jax.vmap(dream)(starts, jr.split(key, len(starts.deter)))
    features = jnp.concatenate([starts.features[:, None], dreamed.features], axis=1)
    imagined = Imagined(features, actions)
    return jax.lax.stop_gradient(imagined) if share_of_reinforce(model.actor.spec, config) == 1 else imagined


def share_of_reinforce(spec: ArraySpec, config: Config) -> float:
    """rho."""
    return config.reinforce if config.reinforce >= 0 else float(spec.kind == "discrete")


def behaviour_losses(
    model: Model, slow_critic: Perceptron, imagined: Imagined, first_survival: Float[Array, "start"], config: Config
) -> tuple[dict[str, Float[Array, "start _horizon"]], dict[str, Array]]:
    """The actor's at f_0 ... f_{H-2}, the critic's at f_0 ... f_{H-1}."""
    sg, features = jax.lax.stop_gradient, imagined.features
    frozen = sg(model)
    reward = over_time(frozen.reward)(features)[..., 0]
    survival = jnp.full_like(reward, config.discount)
    if frozen.continue_ is not None:
        survival = jax.nn.sigmoid(over_time(frozen.continue_)(features)[..., 0]).at[:, 0].set(first_survival)
    value = over_time(sg(slow_critic))(features)[..., 0]

    returns = jax.vmap(partial(lambda_return, lambda_=config.lambda_))(reward[:, :-1], survival[:, :-1], value[:, 1:])
    weight = sg(jnp.cumprod(jnp.concatenate([jnp.ones_like(survival[:, :1]), survival[:, :-1]], axis=1), axis=1))
    advantage = sg(returns[:, 1:] - value[:, :-2])

    def judge(features: Float[Array, "feature"], action: Float[Array, "action"]) -> tuple[Array, Array]:
        distribution = model.actor(features)
        assert not isinstance(distribution, TanhNormal), "which has no entropy in closed form"
        return distribution.log_prob(action), distribution.entropy()

    log_prob, entropy = over_time(judge)(sg(features)[:, :-2], sg(imagined.actions)[:, :-1])
    rho = share_of_reinforce(model.actor.spec, config)
    gain = rho * log_prob * advantage + (1 - rho) * returns[:, 1:] + config.entropy * entropy
    predicted = over_time(model.critic)(sg(features)[:, :-1])[..., 0]
    losses = {
        "policy": -weight[:, :-2] * gain,
        "value": weight[:, :-1] * 0.5 * jnp.square(predicted - sg(returns)),
    }
    facts = {
        "entropy": entropy.mean(), "imagined_return": returns.mean(), "imagined_reward": reward[:, 1:].mean(),
        "imagined_continue": survival[:, 1:].mean(), "advantage_size": jnp.abs(advantage).mean(),
        "value": predicted.mean(),
    }  # fmt: skip
    return losses, facts


def total_loss(
    model: Model, learner: Learner, batch: Stack, config: Config, key: PRNGKeyArray
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The one scalar that is differentiated, in `model`: each term reaches one of the three parts alone."""
    filter_key, dream_key = jr.split(key)
    rows = jax.tree.map(lambda x: x[:, 1:], batch.sequence)
    states = posterior(model, batch, key=filter_key)
    losses = world_model_losses(model, states, rows, config)
    imagined = imagine(model, states, config, key=dream_key)
    behaviour, facts = behaviour_losses(
        model, learner.slow_critic, imagined, survival_of(rows, config).reshape(-1), config
    )

    scales = {"dynamics": config.kl_scale * config.kl_balance, "continue": config.continue_scale}
    scales["representation"] = config.kl_scale * (1 - config.kl_balance)
    means = {name: loss.mean() for name, loss in (losses | behaviour).items()}
    floored = {name: jnp.maximum(means[name], config.free_nats) for name in ("dynamics", "representation")}
    total = sum((scales.get(name, 1.0) * mean for name, mean in (means | floored).items()), jnp.zeros(()))
    return total, {"loss": total} | {f"loss/{name}": mean for name, mean in means.items()} | facts


def update(learner: Learner, batch: Stack, config: Config) -> tuple[Learner, tuple[dict[str, Array], dict[str, Array]]]:
    """One step of the optimisers: the learner after it, no latents to store, and metrics."""
    key = jr.fold_in(learner.key, learner.updates)
    gradient = eqx.filter_value_and_grad(total_loss, has_aux=True)
    (_, metrics), gradients = gradient(learner.model, learner, batch, config, key)
    with jax.numpy_dtype_promotion("standard"):
        steps, moments = optimiser(config).update(gradients, learner.optimiser, eqx.filter(learner.model, eqx.is_array))
    model = eqx.apply_updates(learner.model, steps)
    renew = learner.updates % config.slow_every == 0
    slow_critic = jax.tree.map(lambda new, old: jnp.where(renew, new, old), model.critic, learner.slow_critic)
    metrics["gradient_norm"] = optax.tree.norm(gradients)
    after = Learner(model, slow_critic, moments, learner.updates + 1, learner.key)
    return after, ({}, metrics)


def train(run: Run, config: Config, environment: str | Factory, options: EnvironmentConfig) -> None:
    """Collect and learn, turn by turn, until the run's budget is spent; goes on from the run's newest checkpoint.

    Deterministic given the run's seed and the number of environments.
    """
    learner_key, act_key = jr.split(jr.key(run.seed))
    size = {"batch": config.batch, "length": config.length, "online": False}
    with Experience(environment, options, config.experience, **size, seed=run.seed) as experience:
        learner = initialise(experience.spaces, config, key=learner_key)
        experience.begin(explorer(learner.model, random=True), {}, lambda memory: {}, key=act_key)
        learner = devices.copy(experience.restore(run, learner))
        while experience.owing or not run.finished(experience.steps):
            recent = {}  # of this turn alone, for a resumed run knows of no other
            for episode in experience.collect(devices.first(explorer(learner.model, random=experience.filling))):
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


def explorer(model: Model, *, random: bool) -> FilterPolicy:
    """What collects: samples of the actor, but at first anything."""
    spec = model.actor.spec
    choose = AtFirst(Explored(model.actor, jnp.zeros(())), spec, jnp.asarray(random))
    return FilterPolicy(model.world, choose, spec)


def policy(model: Model) -> FilterPolicy:
    """What acts: the world model's filter and the actor's mode."""
    return FilterPolicy(model.world, Mode(model.actor), model.actor.spec)


def load(run: Run, config: Config, spaces: Spaces) -> Trained:
    """The newest checkpoint of a run, with every head that its world model has."""
    like = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    return trained(run.weights(like, under="learner.model"), spaces, config)


def trained(model: Model, spaces: Spaces, config: Config) -> Trained:
    """What acts, dreams and judges, without what only learning needs."""

    def reward(head: Perceptron, state: Belief) -> Float[Array, ""]:
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
