"""Planners: from what plans are worth to a good plan, of numbers and of choices alike.

    random_shooting   the best of N plans drawn uniformly                                           acts on the best
    cem        m, s <- mean, deviation of the best K of N plans from N(m, s^2)                           acts on m
               PlaNet, arXiv 1811.04551, algorithm 2: N 1000, K 100, ten times
    icem       the same with coloured noise, ever fewer plans, elites that stay, momentum           acts on the best
               Pinneri et al., arXiv 2008.06389, algorithm 1
    mppi       m, s <- the same of the best K, each weighing exp(temperature (score - best))             acts on m
               Williams et al., arXiv 1509.01149, in the form of TD-MPC, arXiv 2203.04955, algorithm 1
    gradient   N plans climb d score / d plan with Adam                                             acts on the best

A plan has a vector a_t (`action_vector`) in each row: numbers from -1 to 1, or one-hot choices. `score(plan, key)` is
what it is worth, a scalar; the key is of dice that this plan alone meets, and may be ignored. `start` is the mean to
begin with: `middle`, or `shift` of the one before. `proposals` are further plans that compete with those drawn, in
every iteration (icem: in the first). One decision; `jax.vmap` adds a batch.
The mean of one-hot plans is a table of probabilities, so choices are refitted by the same lines as numbers; they are
drawn as argmax(ln m + Gumbel), and `gradient` climbs their logits straight-through (arXiv 1611.01144).
Deviates: choices are ours; icem's deviation is that of the paper's code; TD-MPC acts on an elite drawn by its weight,
and its last row starts at zero.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float, PRNGKeyArray

from reverie.behaviours.planner_config import CEMConfig, GradientConfig, ICEMConfig, MPPIConfig, ShootingConfig
from reverie.maths.distributions import split_choices
from reverie.types import ArraySpec

Score = Callable[[Float[Array, "horizon action"], PRNGKeyArray], Float[Array, ""]]
"""What a plan is worth, the more the better."""

FORGOTTEN = 0.5
"""Of the probabilities of choices, the share that is uniform again when the next decision begins."""


class Planned(NamedTuple):
    """What a planner has come to."""

    plan: Float[Array, "horizon action"]
    """What to do: it can be done as it is."""
    mean: Float[Array, "horizon action"]
    """What the next decision may start from, shifted; of choices, probabilities."""
    kept: Float[Array, "candidate horizon action"]
    """Plans worth proposing again, shifted; none but for iCEM."""


def random_shooting(
    score: Score,
    spec: ArraySpec,
    start: Float[Array, "horizon action"],
    config: ShootingConfig,
    *,
    proposals: Float[Array, "candidate horizon action"] | None = None,
    key: PRNGKeyArray,
) -> Planned:
    """The best of plans drawn uniformly; `start` is one of them."""
    draw_key, score_key = jr.split(key)
    plans = uniform(spec, (config.candidates, *start.shape), key=draw_key).at[0].set(legal(spec, start))
    plans = _joined(plans, proposals)
    best = plans[jnp.argmax(_scores(score, plans, score_key))]
    return Planned(best, best, plans[:0])


def cem(
    score: Score,
    spec: ArraySpec,
    start: Float[Array, "horizon action"],
    config: CEMConfig,
    *,
    proposals: Float[Array, "candidate horizon action"] | None = None,
    key: PRNGKeyArray,
) -> Planned:
    """The cross-entropy method: draw, keep the elites, refit, repeat; the mean of the last elites is the plan."""

    def improve(belief: tuple[Array, Array], key: PRNGKeyArray) -> tuple[tuple[Array, Array], None]:
        noise_key, score_key = jr.split(key)
        noise = jr.normal(noise_key, (config.candidates, *start.shape))
        plans = _joined(drawn(spec, *belief, noise), proposals)
        elites, _ = _best(plans, _scores(score, plans, score_key), config.elites)
        mean, variance = refit(elites, jnp.full(config.elites, 1 / config.elites))
        return (mean, jnp.sqrt(variance + 1e-6)), None

    keys = jr.split(key, config.iterations)
    (mean, _), _ = jax.lax.scan(improve, (start, jnp.full_like(start, config.std)), keys)
    return Planned(legal(spec, mean), mean, start[None][:0])


def icem(
    score: Score,
    spec: ArraySpec,
    start: Float[Array, "horizon action"],
    config: ICEMConfig,
    *,
    proposals: Float[Array, "candidate horizon action"] | None = None,
    key: PRNGKeyArray,
) -> Planned:
    """CEM improved for few plans; the best that was seen in the last iteration is the plan.

    Elites that stay keep the score that they had; in the last iteration the mean is one of the plans.
    """
    mean, std = start, jnp.full_like(start, config.std)
    kept, kept_scores = start[None][:0], jnp.zeros(0)
    elites = kept
    for turn, (count, turn_key) in enumerate(zip(config.counts, jr.split(key, config.iterations), strict=True)):
        noise_key, score_key = jr.split(turn_key)
        noise = coloured(config.colour, (count, *start.shape), key=noise_key)
        plans = drawn(spec, mean, std, noise)
        plans = plans.at[0].set(legal(spec, mean)) if turn == config.iterations - 1 else plans
        plans = _joined(plans, proposals if turn == 0 else None)
        scores = jnp.concatenate([_scores(score, plans, score_key), kept_scores])
        elites, elite_scores = _best(_joined(plans, kept), scores, config.elites)
        kept, kept_scores = elites[: config.kept], elite_scores[: config.kept]
        fitted, variance = refit(elites, jnp.full(config.elites, 1 / config.elites))
        mean = config.momentum * mean + (1 - config.momentum) * fitted
        std = config.momentum * std + (1 - config.momentum) * jnp.sqrt(variance)
    return Planned(elites[0], mean, kept)


def mppi(
    score: Score,
    spec: ArraySpec,
    start: Float[Array, "horizon action"],
    config: MPPIConfig,
    *,
    proposals: Float[Array, "candidate horizon action"] | None = None,
    key: PRNGKeyArray,
) -> Planned:
    """Path integral control: every plan weighs by the exponential of its score; the mean is the plan."""

    def improve(belief: tuple[Array, Array], key: PRNGKeyArray) -> tuple[tuple[Array, Array], None]:
        noise_key, score_key = jr.split(key)
        noise = jr.normal(noise_key, (config.candidates, *start.shape))
        plans = _joined(drawn(spec, *belief, noise), proposals)
        elites, scores = _best(plans, _scores(score, plans, score_key), config.elites)
        fitted, variance = refit(elites, jax.nn.softmax(config.temperature * (scores - scores[0])))
        mean = config.momentum * belief[0] + (1 - config.momentum) * fitted
        return (mean, jnp.clip(jnp.sqrt(variance), config.min_std, config.std)), None

    keys = jr.split(key, config.iterations)
    (mean, _), _ = jax.lax.scan(improve, (start, jnp.full_like(start, config.std)), keys)
    return Planned(legal(spec, mean), mean, start[None][:0])


def gradient(
    score: Score,
    spec: ArraySpec,
    start: Float[Array, "horizon action"],
    config: GradientConfig,
    *,
    proposals: Float[Array, "candidate horizon action"] | None = None,
    key: PRNGKeyArray,
) -> Planned:
    """Plans climb the score's gradient, `start` and the proposals among them; the best ever seen is the plan.

    Numbers are kept within their bounds after every step. Of choices the logits climb: what is scored is one-hot, drawn
    anew in every step, its gradient that of the softmax.
    """
    start_key, climb_key, end_key = jr.split(key, 3)
    free = jr.normal(start_key, (config.candidates, *start.shape)).at[0].set(0.0)
    numbers = spec.kind == "continuous"
    places = _joined(jnp.clip(start[None] + config.std * free, -1, 1) if numbers else _repeated(start, free), proposals)
    places = places if numbers else jnp.log(_widened(spec, places, 0.1))
    adam = optax.adam(config.rate if numbers else 10 * config.rate)

    def worth(place: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        dice_key, score_key = jr.split(key)
        plan = place if numbers else _straight_through(spec, place + jr.gumbel(dice_key, place.shape))
        return score(plan, score_key), plan

    def climb(carry: tuple, key: PRNGKeyArray) -> tuple[tuple, None]:
        places, moments, best = carry
        (scores, plans), slopes = jax.vmap(jax.value_and_grad(worth, has_aux=True))(places, jr.split(key, len(places)))
        with jax.numpy_dtype_promotion("standard"):
            steps, moments = adam.update(-jnp.nan_to_num(slopes), moments)
        places = places + jnp.asarray(steps)
        return (jnp.clip(places, -1, 1) if numbers else places, moments, _better(best, plans, scores)), None

    nothing = legal(spec, start), jnp.asarray(-jnp.inf)
    keys = jr.split(climb_key, config.iterations)
    (places, _, best), _ = jax.lax.scan(climb, (places, adam.init(places), nothing), keys)
    ends = jax.vmap(partial(legal, spec))(places)
    plan, _ = _better(best, ends, _scores(score, ends, end_key))
    return Planned(plan, plan, places[:0])


PLANNERS: dict[str, Callable[..., Planned]] = {
    "shooting": random_shooting,
    "cem": cem,
    "icem": icem,
    "mppi": mppi,
    "gradient": gradient,
}
"""By the name that each has on the command line; its numbers are `planner_config.CONFIGS`'s."""


# ------------------------------------------------------------------------------------------------------- parts of them


def middle(spec: ArraySpec, horizon: int) -> Float[Array, "horizon action"]:
    """The mean that knows nothing: numbers 0, choices equally likely."""
    if spec.kind == "continuous":
        return jnp.zeros((horizon, spec.width))
    row = jnp.concatenate([jnp.full(count, 1 / count, jnp.float32) for count in spec.classes])
    return jnp.tile(row, (horizon, 1))


def shift(spec: ArraySpec, mean: Float[Array, "horizon action"]) -> Float[Array, "horizon action"]:
    """What is left of a mean after its first action; the last is repeated (iCEM), choices are half forgotten."""
    return _widened(spec, shift_plan(mean), FORGOTTEN)


def shift_plan(plan: Float[Array, "horizon action"]) -> Float[Array, "horizon action"]:
    """What is left of a plan after its first action; the last is repeated."""
    return jnp.concatenate([plan[1:], plan[-1:]])


def legal(spec: ArraySpec, plan: Float[Array, "horizon action"]) -> Float[Array, "horizon action"]:
    """The nearest plan that can be done: numbers within their bounds, of choices the likeliest."""
    if spec.kind == "continuous":
        return jnp.clip(plan, -1, 1)
    parts = [jax.nn.one_hot(jnp.argmax(part, -1), part.shape[-1]) for part in split_choices(plan, spec.classes)]
    return jnp.concatenate(parts, axis=-1)


def action_of(spec: ArraySpec, vector: Float[Array, "action"]) -> Array:
    """The action, as `spec` says, that a row of a plan stands for: what `action_vector` was made of."""
    if spec.kind == "continuous":
        return vector.reshape(spec.shape)
    return jnp.stack([jnp.argmax(part) for part in split_choices(vector, spec.classes)]).astype(jnp.int32)


def drawn(
    spec: ArraySpec,
    mean: Float[Array, "horizon action"],
    std: Float[Array, "horizon action"],
    noise: Float[Array, "candidate horizon action"],
) -> Float[Array, "candidate horizon action"]:
    """Plans made of standard normal noise: m + s noise within bounds; choices with probabilities m."""
    if spec.kind == "continuous":
        return jax.vmap(lambda noise: legal(spec, mean + std * noise))(noise)
    logits = jnp.log(mean)
    return jax.vmap(lambda noise: legal(spec, logits - jnp.log(-log_ndtr(noise))))(noise)


def uniform(spec: ArraySpec, shape: tuple[int, ...], *, key: PRNGKeyArray) -> Float[Array, "candidate horizon action"]:
    """Plans of which every one is as likely."""
    if spec.kind == "continuous":
        return jr.uniform(key, shape, minval=-1.0, maxval=1.0)
    return drawn(spec, middle(spec, shape[1]), jnp.zeros(shape[1:]), jr.normal(key, shape))


def coloured(colour: float, shape: tuple[int, ...], *, key: PRNGKeyArray) -> Float[Array, "candidate horizon action"]:
    """Standard normal noise whose power over the horizon falls as frequency ** -colour (Timmer & Koenig 1995).

    The lowest frequency, that of the mean, has the power of the next one.
    """
    horizon = shape[1]
    frequency = jnp.fft.rfftfreq(horizon).at[0].set(1 / horizon)
    amplitude = frequency ** (-colour / 2)
    last = horizon % 2 == 0 and horizon > 1
    weight = jnp.full(len(amplitude), 2.0).at[0].set(1.0)  # rows of the spectrum that stand for two frequencies
    weight = weight.at[-1].set(1.0) if last else weight
    amplitude = (horizon * amplitude / jnp.sqrt(jnp.sum(weight * amplitude**2)))[None, :, None]
    alone = (weight == 1.0)[None, :, None]  # real, where the others have two parts of half the power
    real, imaginary = jr.normal(key, (2, shape[0], len(weight), shape[2]))
    real = amplitude * jnp.where(alone, real, real / jnp.sqrt(2.0))
    imaginary = amplitude * jnp.where(alone, 0.0, imaginary / jnp.sqrt(2.0))
    return jnp.fft.irfft(jax.lax.complex(real, imaginary), n=horizon, axis=1)


def refit(
    plans: Float[Array, "candidate horizon action"], weights: Float[Array, "candidate"]
) -> tuple[Float[Array, "horizon action"], Float[Array, "horizon action"]]:
    """Mean and (biased) variance of plans whose weights add up to 1."""
    mean = jnp.tensordot(weights, plans, axes=1)
    return mean, jnp.tensordot(weights, (plans - mean[None]) ** 2, axes=1)


def _scores(
    score: Score, plans: Float[Array, "candidate horizon action"], key: PRNGKeyArray
) -> Float[Array, "candidate"]:
    """Of every plan with its own dice; one that is no number is the worst."""
    scores = jax.vmap(score)(plans, jr.split(key, len(plans)))
    return jnp.nan_to_num(scores, nan=jnp.finfo(scores.dtype).min)


def _best(plans: Array, scores: Array, count: int) -> tuple[Array, Array]:
    """The best plans, the very best first, and their scores."""
    scores, best = jax.lax.top_k(scores, count)
    return plans[best], scores


def _better(best: tuple[Array, Array], plans: Array, scores: Array) -> tuple[Array, Array]:
    """The best plan yet and its score."""
    scores = jnp.nan_to_num(scores, nan=-jnp.inf)
    first = jnp.argmax(scores)
    better = scores[first] > best[1]
    return jnp.where(better, plans[first], best[0]), jnp.where(better, scores[first], best[1])


def _joined(plans: Array, others: Array | None) -> Array:
    return plans if others is None else jnp.concatenate([plans, others])


def _repeated(start: Array, like: Array) -> Array:
    return jnp.broadcast_to(start[None], like.shape)


def _widened(spec: ArraySpec, mean: Float[Array, "*shape action"], share: float) -> Float[Array, "*shape action"]:
    """Choices with so much of the uniform distribution mixed in; numbers as they are."""
    if spec.kind == "continuous":
        return mean
    parts = [(1 - share) * part + share / part.shape[-1] for part in split_choices(mean, spec.classes)]
    return jnp.concatenate(parts, axis=-1)


def _straight_through(spec: ArraySpec, logits: Float[Array, "horizon action"]) -> Float[Array, "horizon action"]:
    """One-hot choices whose gradient is that of the softmax."""
    soft = jnp.concatenate([jax.nn.softmax(part) for part in split_choices(logits, spec.classes)], axis=-1)
    return jax.lax.stop_gradient(legal(spec, logits) - soft) + soft
