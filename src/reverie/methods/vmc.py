"""World Models: V sees, M remembers and dreams, C acts; each is learned alone, one after the other.

Ha, Schmidhuber, "World Models", arXiv 1803.10122 (NeurIPS 2018), with the numbers of the authors' code.

    collect   random play: erratic controllers (CarRacing), or actions held for 1 to 10 steps (Doom, `dream`)
    V         autoencoder of single frames:     sum of squares + max(KL, 0.5 nats per latent)         Adam 1e-4
    M         recurrent mixture on (z, a):      -mean over latents of ln p(z_{t+1}) (+ ends, weighed ten times)
              on z drawn anew from q(z | x); memory carried from window to window    Adam 1e-3, gradients in [-1, 1]
    C         tanh(W (z, h) + b), or (z, c, h) and no b in the dream: CMA-ES, fitness = mean return of 16 rollouts,
              every candidate of one half of the population with the same seeds as its fellow of the other half;
              in the world, or (`dream`) in M at a temperature, +1 for every step until M says that it ends

Each stage ends after so many rows, updates or generations; the mean of the search that did best is what acts. A budget
of steps is of playing in the world: it ends the run among C's candidates. The article's iterative variant does it all
again (`iterations`): C plays, V and M learn from all that was seen, the search goes on from its best mean.
Deviates: frames are drawn with replacement, not in shuffled epochs; frames are kept in memory (the paper's 10 million
take 123 GB); erratic controllers act on an untrained V and M, whose weights are not drawn anew per episode; M is not
asked for the first frame of the next episode, and its windows are not aligned with episodes (CarRacing's were); its
step size is constant (Doom's fell by 1 % per 1,000 updates); it reads actions from -1 to 1 (CarRacing's pedals went
from 0), and of a choice the middle of its part; candidates are not rounded; updates that are not finite are skipped.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from reverie.behaviours.controlled import ControlledPolicy, ErraticPolicy, LearnedPolicy
from reverie.behaviours.controller import Controller, Obeyed, obeyed_in
from reverie.behaviours.dreamed import dreamed_scores
from reverie.behaviours.exploration import HeldPolicy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.errors import UserError
from reverie.maths.optimisers import descend
from reverie.methods.vmc_config import SIZES as SIZES
from reverie.methods.vmc_config import STAGES, Config
from reverie.methods.vmc_config import default_steps as default_steps
from reverie.methods.vmc_config import options as options
from reverie.models.mdn_rnn import MDNRNN
from reverie.models.observation import as_shown
from reverie.models.vae import SHAPE, VAE
from reverie.models.vision_memory import View, VisionMemory, memory_losses, picture, vision_losses
from reverie.protocol import Trained
from reverie.run import failure, source
from reverie.run.dispatch import dispatch
from reverie.run.encoded import Frames, Rows, first_rows, rows_in_lanes
from reverie.run.experience import Experience
from reverie.run.players import Players
from reverie.run.run import Run
from reverie.run.search import Search, evolve
from reverie.types import Spaces


class Model(eqx.Module):
    """All that is learned; C is the mean of the search that did best so far."""

    world: VisionMemory
    controller: Controller


class Learner(eqx.Module):
    """What V's and M's updates change, and the key that update n (of both together) folds n into."""

    model: Model
    vision_moments: PyTree
    memory_moments: PyTree
    carry: View
    """Of every lane of rows, at the end of the window before [lane, ...]."""
    vision_updates: Int[Array, ""]
    memory_updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, environment: str = "", key: PRNGKeyArray) -> Model:
    """V, M and C, freshly initialised."""
    vision_key, memory_key = jr.split(key)
    obeyed, (latents, units) = obeyed_in(environment, spaces.action), config.widths
    vision = VAE(latents, depth=config.depth, key=vision_key)
    heads = {"ends": config.dream, "rewards": config.rewards, "shaping": config.shaping}
    memory = MDNRNN(latents, obeyed.outputs, units, **heads, key=memory_key)
    world = VisionMemory(vision, memory, jnp.asarray(config.temperature), obeyed.dial())
    return Model(world, unskilled(config, obeyed.outputs))


def unskilled(config: Config, outputs: int) -> Controller:
    """C before its search."""
    latents, units = config.widths
    remembered = 0 if config.memoryless else units * (2 if config.dream else 1)
    widths = (latents + remembered, *([config.hidden] if config.hidden else []), outputs)
    return Controller.zero(widths, bias=not config.dream)


def initialise(spaces: Spaces, config: Config, *, environment: str = "", key: PRNGKeyArray) -> Learner:
    """A learner before its first update."""
    model_key, key = jr.split(key)
    model = build(spaces, config, environment=environment, key=model_key)
    (vision, memory), parts = optimisers(config), cast(Any, model.world)
    moments = vision.init(parts.vision), memory.init(parts.memory)
    carry = jax.tree.map(lambda leaf: jnp.stack([leaf] * config.memory_batch), model.world.initial())
    return Learner(model, *moments, carry, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), key)


def optimisers(config: Config) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
    """Adam for V; for M, after every element of the gradient was clipped."""
    memory = optax.chain(optax.clip(config.gradient_clip), optax.adam(config.memory_rate))
    return optax.adam(config.vision_rate), memory


def parameters(spaces: Spaces, config: Config) -> dict[str, int]:
    """Trainable parameters of V, M and C, without building any."""
    model = eqx.filter_eval_shape(build, spaces, config, key=jr.key(0))
    parts = {"vision": model.world.vision, "memory": model.world.memory, "controller": model.controller}
    return {name: sum(leaf.size for leaf in jax.tree.leaves(part)) for name, part in parts.items()}


# ------------------------------------------------------------------------------------------------------- V and M


def update(learner: Learner, batch: Frames | Rows, config: Config) -> tuple[Learner, tuple[None, dict[str, Array]]]:
    """One step of V on frames [batch], or of M on the next window [lane, time] of every lane."""
    key, model = jr.fold_in(learner.key, learner.vision_updates + learner.memory_updates), learner.model
    vision_optimiser, memory_optimiser = optimisers(config)
    if isinstance(batch, Frames):
        loss: Any = lambda vision: (vision_losses(vision, batch.pixels, key=key), None)
        vision, moments, metrics, _ = descend(loss, model.world.vision, learner.vision_moments, vision_optimiser)
        changed = lambda it: (it.model.world.vision, it.vision_moments, it.vision_updates)
        return eqx.tree_at(changed, learner, (vision, moments, learner.vision_updates + 1)), (None, metrics)

    def loss_of(memory: MDNRNN) -> tuple[dict[str, Array], View]:
        world = eqx.tree_at(lambda it: it.memory, model.world, memory)
        return memory_losses(world, learner.carry, **batch._asdict(), key=key)

    memory, moments, metrics, carry = descend(loss_of, model.world.memory, learner.memory_moments, memory_optimiser)
    changed = lambda it: (it.model.world.memory, it.memory_moments, it.carry, it.memory_updates)
    return eqx.tree_at(changed, learner, (memory, moments, carry, learner.memory_updates + 1)), (None, metrics)


def stack_of(arrays: dict[str, np.ndarray]) -> Frames | Rows:
    """The batches of a failure, by the names under which they were kept."""
    return Frames(**arrays) if "pixels" in arrays else Rows(**arrays)


# -------------------------------------------------------------------------------------------------------- stages

LEFT = {
    "vision": ("0.model.world.vision", "0.vision_moments", "0.vision_updates", "2.vision"),
    "memory": ("0.model.world.memory", "0.memory_moments", "0.memory_updates", "0.carry", "2.memory"),
}
"""What they leave of what is saved."""


def train(
    run: Run,
    config: Config,
    environment: str | Factory,
    options: EnvironmentConfig,
    *,
    until: str = "",
    begin_with: Path | None = None,
) -> None:
    """Collect, then learn V, M and C; goes on from the run's newest checkpoint. Deterministic given the run's seed.

    Args:
        run, config, environment, options: as for every method.
        until: the stage after which to stop; none: all are done.
        begin_with: a run whose stages are taken over, as far as nothing about them is different, by one that has not
            begun.
    """
    if begin_with and config.iterations > 1:
        raise UserError("the stages of several iterations follow from each other: no --begin-with for such a run.")
    collecting = replace(config.experience, train_ratio=0.0)
    with Experience(environment, options, collecting, batch=1, length=1, seed=run.seed) as experience:
        check(experience.spaces, config, run)
        stages = Stages(run, config, experience, (environment, options), begin_with)
        while True:
            for stage in (stages.collect, stages.vision, stages.memory, stages.evolution):
                worked = False
                for _ in stage():
                    worked = True
                    if run.due("checkpoint"):
                        stages.save()
                    if run.stop:
                        return
                stages.over += 1
                if worked or until == stage.__name__:
                    stages.save()
                if until == stage.__name__:
                    return
            if not stages.begin_again():
                stages.save()
                return


class Stages:
    """The four, each a loop that gives way after every piece of work, for a checkpoint or a signal."""

    def __init__(
        self, run: Run, config: Config, experience: Experience, world: tuple[str | Factory, EnvironmentConfig],
        begin_with: Path | None,
    ) -> None:  # fmt: skip
        learner_key, act_key, self.dream_key = jr.split(jr.key(run.seed), 3)
        self.run, self.config, self.experience, self.world = run, config, experience, world
        name, spaces = run.manifest["environment"], experience.spaces
        self.sizes = parameters(spaces, config)
        self.obeyed = obeyed_in(name, spaces.action)
        learner = initialise(spaces, config, environment=name, key=learner_key)
        whole = unskilled(replace(config, memoryless=False, hidden=0), self.obeyed.outputs)
        untrained = ControlledPolicy(learner.model.world, whole, self.obeyed)
        self.explorer: Any = HeldPolicy(self.obeyed) if config.dream else ErraticPolicy(untrained)
        start = learner.model.controller.parameters
        self.search = Search(np.zeros(start.size), config.sigma, config.population, seed=run.seed)
        if config.iterations > 1:
            self.explorer = LearnedPolicy(self.explorer, self.acting(learner.model), jnp.zeros((), bool))
        experience.begin(self.explorer, {}, lambda memory: {}, key=act_key)
        if experience.replay.capacity < config.frames * config.iterations:
            asked = config.frames * config.iterations
            raise UserError(f"--config.experience keeps {experience.replay.capacity} of {asked} frames.")
        self.over = 0  # stages
        self.done = {name: np.zeros((), np.int64) for name in ("vision", "memory", "iterations")}  # skipped updates too
        fresh = learner, self.search.state(), self.done
        if begin_with:
            source.take_over(run, begin_with, fresh, config, STAGES, LEFT)
        self.learner, search, self.done = experience.restore(run, fresh)
        self.search.restore(search)

    def acting(self, model: Model) -> ControlledPolicy:
        """What acts with the best controller so far."""
        best = jnp.asarray(self.search.best, jnp.float32)
        return ControlledPolicy(model.world, replace(model.controller, parameters=best), self.obeyed)

    def save(self) -> None:
        """A checkpoint of everything; what did best acts."""
        best = jnp.asarray(self.search.best, jnp.float32)
        learner = eqx.tree_at(lambda it: it.model.controller.parameters, self.learner, best)
        counters = {"done": [int(self.done[name]) for name in sorted(self.done)], "over": self.over}
        counters |= {"generation": self.search.generation, "scored": self.search.scored}
        self.experience.save(self.run, (learner, self.search.state(), self.done), **counters)

    def begin_again(self) -> bool:
        """Another iteration, if there is to be one."""
        number = int(self.done["iterations"]) + 1
        if number >= self.config.iterations:
            return False
        self.done = {name: np.asarray(number * (name == "iterations"), np.int64) for name in self.done}
        self.search = Search(self.search.best, self.config.sigma, self.config.population, seed=self.run.seed)
        self.over = 0
        return True

    def announce(self, stage: str, size: str) -> None:
        """Says that a stage begins, or goes on, how much work it is, and how much there is to learn."""
        part = {"evolution": "controller"}.get(stage, stage)
        learned = f", {self.sizes[part]:,} parameters" if part in self.sizes else ""
        self.run.note(f"stage {list(STAGES).index(stage) + 1} of {len(STAGES)}, {stage}: {size}{learned}")

    def collect(self) -> Iterator[None]:
        """Random play, later C's, until there are enough frames; later only if all but a few of them were lost."""
        number, replay = int(self.done["iterations"]), self.experience.replay
        begun = self.done["vision"] or self.done["memory"] or self.search.generation or self.search.scored
        policy = self.explorer
        if number:
            policy = LearnedPolicy(policy.unlearned, self.acting(self.learner.model), jnp.ones((), bool))
        enough = fewest(self.config) if begun else self.config.frames * (number + 1)
        if replay.held < enough:
            self.announce("collect", f"{enough:,} frames")
        while replay.held < enough:
            for episode in self.experience.collect(policy):
                scores = {"episode/return": episode.score, "episode/length": episode.length}
                self.run.log(self.experience.steps, **scores, **{"done/collect": min(1.0, replay.held / enough)})
            self.run.finished(self.experience.steps)
            yield

    def vision(self) -> Iterator[None]:
        """V learns from frames drawn uniformly."""
        config, replay = self.config, self.experience.replay
        before = int(self.done["iterations"]) * config.vision_updates
        if int(self.done["vision"]) < config.vision_updates:
            self.announce("vision", f"{config.vision_updates:,} updates of {config.vision_batch} frames")
        while (made := int(self.done["vision"])) < config.vision_updates:
            numbers = range(before + made, before + made + config.experience.dispatch)
            drawn = [picture(replay.pick(number, config.vision_batch).observation) for number in numbers]
            self.learn(Frames(np.stack(drawn)), config.vision_updates)
            yield

    def memory(self) -> Iterator[None]:
        """M learns from all rows in order, window after window, epoch after epoch."""
        config, world, replay = self.config, self.learner.model.world, self.experience.replay
        if not config.memory_epochs or self.search.generation or self.search.scored:
            return
        rows = rows_in_lanes(world.encode, replay, self.experience.spaces.action, config.memory_batch)
        length = min(config.memory_length or (500 if config.dream else 999), rows.is_first.shape[1])
        total = round(config.memory_epochs * (rows.is_first.shape[1] // length))
        if int(self.done["memory"]) < total:
            self.announce("memory", f"{total:,} updates of {config.memory_batch} windows of {length} rows")
        while (made := int(self.done["memory"])) < total:
            self.learn(jax.tree.map(lambda leaf: leaf[None], rows.window(made, length)), total)
            yield

    def learn(self, stack: Frames | Rows, total: int) -> None:
        """Updates of V or M in one compiled call, of so many in all."""
        part, before = "memory" if isinstance(stack, Rows) else "vision", self.experience.skipped_in_a_row
        self.learner, (_, metrics) = dispatch((update, self.config, stack), self.learner, before)
        self.experience.count(metrics["skipped"])
        failure.stop_if_hopeless(self.run, metrics["skipped"], self.learner, stack)
        self.done[part] = self.done[part] + len(metrics["skipped"])
        numbers = {name: float(value.mean()) for name, value in metrics.items()} | self.experience.troubles
        numbers[f"done/{part}"] = float(self.done[part] / total)
        updates = int(self.learner.vision_updates + self.learner.memory_updates)
        self.run.log(self.experience.steps, updates=updates, **numbers)

    def evolution(self) -> Iterator[None]:
        """C evolves; gives way after a generation of dreams, or after a candidate that played in the world."""
        config, policy = self.config, self.acting(self.learner.model)
        trained = Trained(self.experience.spaces, policy.world, policy, {})
        workers = 0 if config.dream else config.experience.workers
        with Players(trained, *self.world, workers) as players:
            if config.dream:
                first = first_rows(policy.world.encode, self.experience.replay)
                score = partial(dreamed_scores, policy, first, config.limit, self.dream_key)
            else:
                stop = lambda: self.run.due("checkpoint") and bool(self.run.stop)
                score = partial(players.scores, seed=self.run.seed, stop=stop, count=self.experience.played)
            rollouts, judging = config.episodes
            if self.search.generation < config.generations:
                size = f"{config.generations} generations of {config.population} candidates, {rollouts} episodes each"
                self.announce("evolution", size)
            for report in evolve(
                self.search, score, together=config.population if config.dream else max(1, 4 * workers),
                generations=config.generations, rollouts=rollouts, judge_every=config.evaluate_every, episodes=judging,
                finished=lambda: self.run.finished(self.experience.steps) and not config.dream,
            ):  # fmt: skip
                if report:
                    share = self.search.generation / config.generations
                    self.run.log(self.experience.steps, **report, **{"done/evolution": share})
                yield


def check(spaces: Spaces, config: Config, run: Run) -> None:
    """What would fail after hours is said at once."""
    images = [spec.shape for _, spec in sorted(spaces.observation.items()) if spec.kind == "image"]
    if images[:1] != [SHAPE]:
        shown = " and ".join(f"{name} {spec.shape}" for name, spec in spaces.observation.items())
        raise UserError(
            f"vmc sees pictures of 64x64 pixels in colour; {run.manifest['environment']} shows {shown}. "
            "Add --environment.pixels, or --environment.size 64."
        )
    if config.frames < fewest(config):
        raise UserError(f"{config.frames} frames are too few for such batches: {fewest(config)} at least are needed.")
    if run.manifest["steps"] is None or run.manifest["steps"] < config.frames:
        raise UserError("vmc ends with its last stage: no --budget, and no fewer --steps than --config.frames.")


def fewest(config: Config) -> int:
    """Rows without which there is no batch."""
    return max(config.vision_batch, 2 * config.memory_batch)


def load(run: Run, config: Config, spaces: Spaces) -> Trained:
    """The newest checkpoint of a run, with every head a world model can have."""
    world = run.manifest["environment"]
    like = eqx.filter_eval_shape(build, spaces, config, environment=world, key=jr.key(0))
    return trained(run.weights(like, under="learner.0.model"), config, obeyed_in(world, spaces.action), spaces)


def trained(model: Model, config: Config, obeyed: Obeyed, spaces: Spaces) -> Trained:
    """What acts, dreams and judges, without what only learning needs."""
    seen = [(name, spec) for name, spec in sorted(spaces.observation.items()) if spec.shape == SHAPE]
    if not seen:
        raise UserError(f"vmc sees pictures of 64x64 pixels in colour, not {', '.join(sorted(spaces.observation))}.")
    name, spec = seen[0]
    heads: dict[str, Any] = {"decode": lambda vision, state: {name: as_shown(spec, vision.decode(state.z))}}
    if config.dream:
        heads |= {"continue": lambda _, state: jax.nn.sigmoid(-state.done)}
    if config.dream or config.rewards:
        heads |= {"reward": lambda _, state: state.reward}
    bound = {head: eqx.Partial(function, model.world.vision) for head, function in heads.items()}
    return Trained(spaces, model.world, ControlledPolicy(model.world, model.controller, obeyed), bound)
