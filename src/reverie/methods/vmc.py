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
of steps is of playing in the world: it ends the run among C's candidates.
Deviates: frames are drawn with replacement, not in shuffled epochs; frames are kept in memory (the paper's 10 million
take 123 GB); erratic controllers act on an untrained V and M, whose weights are not drawn anew per episode; M is not
asked for the first frame of the next episode, and its windows are not aligned with episodes (CarRacing's were); its
step size is constant (Doom's fell by 1 % per 1,000 updates); it reads actions from -1 to 1 (CarRacing's pedals went
from 0), and of a choice the middle of its part; candidates are not rounded; updates that are not finite are skipped.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from reverie.behaviours.controlled import ControlledPolicy, ErraticPolicy
from reverie.behaviours.controller import Controller, Obeyed, obeyed_in
from reverie.behaviours.dreamed import dreamed_scores
from reverie.behaviours.exploration import HeldPolicy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory
from reverie.errors import UserError
from reverie.evaluate.returns import Returns
from reverie.maths.optimisers import descend
from reverie.models.mdn_rnn import MDNRNN
from reverie.models.observation import as_shown
from reverie.models.vae import SHAPE, VAE
from reverie.models.vision_memory import View, VisionMemory, memory_losses, picture, vision_losses
from reverie.protocol import Trained
from reverie.run import failure
from reverie.run.dispatch import dispatch
from reverie.run.encoded import Rows, first_rows, rows_in_lanes
from reverie.run.experience import Experience, ExperienceConfig
from reverie.run.playing import play
from reverie.run.run import Run
from reverie.run.search import Search, evolve
from reverie.run.settings import check_range
from reverie.types import Spaces


@dataclass(frozen=True)
class Config:
    """World Models; the defaults are the paper's for CarRacing, and with `dream` its for Doom."""

    dream: bool = False
    """Evolve C inside M's dream and never in the world."""
    frames: int = 10_000_000
    """Rows collected by random play."""
    latents: int = 0
    """Numbers in z. 0: 32, in the dream 64."""
    units: int = 0
    """Of M's memory. 0: 256, in the dream 512."""
    depth: int = 32
    """Channels of V's first convolution; the others are multiples of it."""
    vision_epochs: float = 10.0
    """How often V sees every frame, on average."""
    vision_batch: int = 100
    """Frames per update."""
    vision_rate: float = 1e-4
    """V's step size."""
    memory_epochs: float = 20.0
    """How often M sees every row. 0: M stays as it was drawn (the known control: CarRacing hardly needs more)."""
    memory_batch: int = 100
    """Windows per update."""
    memory_length: int = 0
    """Rows of a window. 0: 999, in the dream 500."""
    memory_rate: float = 1e-3
    """M's step size."""
    gradient_clip: float = 1.0
    """No element of M's gradient is larger."""
    memoryless: bool = False
    """C acts on z alone."""
    hidden: int = 0
    """Units of a hidden layer of C (the paper's: 40, on z alone); 0: none."""
    temperature: float = 1.15
    """Of the dream."""
    limit: int = 2100
    """Steps after which a dream is cut."""
    population: int = 64
    """Candidates per generation."""
    rollouts: int = 16
    """Episodes that each candidate plays."""
    generations: int = 2000
    """Of the evolution."""
    sigma: float = 0.1
    """Step size that evolution begins with."""
    evaluate_every: int = 25
    """Generations after which the mean of the search plays itself; the best mean is kept."""
    evaluation: int = 1024
    """Episodes that it plays then."""
    experience: ExperienceConfig = field(
        default_factory=lambda: ExperienceConfig(train_ratio=0.0, capacity=10_000_000, gibibytes=128.0)
    )
    """Collecting; `train_ratio` has no meaning here, `dispatch` is of V."""

    def __post_init__(self) -> None:
        counts = ("frames", "depth", "vision_batch", "memory_batch", "limit", "rollouts", "generations")
        check_range(self, (*counts, "evaluate_every", "evaluation"), 1)
        zero = ("latents", "units", "memory_length", "hidden", "vision_epochs", "memory_epochs")
        check_range(self, (*zero, "vision_rate", "memory_rate", "gradient_clip"), 0)
        if self.population % 2 or self.population < 4 or not min(self.temperature, self.sigma) > 0:
            raise ValueError("Config: population must be even and 4 at least, temperature and sigma above 0")

    @property
    def widths(self) -> tuple[int, int]:
        """Latents and units."""
        return self.latents or (64 if self.dream else 32), self.units or (512 if self.dream else 256)

    @property
    def vision_updates(self) -> int:
        """Of V in all: whole compiled calls."""
        calls = self.vision_epochs * self.frames / (self.vision_batch * self.experience.dispatch)
        return round(calls) * self.experience.dispatch


NANO = Config(
    frames=200_000, vision_epochs=1.5, memory_batch=25, memory_length=200, memory_epochs=40.0,
    population=32, rollouts=8, generations=100, evaluation=256,
    experience=ExperienceConfig(environments=8, train_ratio=0.0, capacity=400_000, gibibytes=6.0),
)  # fmt: skip
"""Ours, for two cores and two hours: fewer frames, shorter windows, fewer candidates; the networks are the paper's."""
SIZES: dict[str, Config] = {"nano": NANO, "paper": Config()}

SHOWN: dict[str, dict[str, int]] = {"VizdoomTakeCover-v1": {"rows": 200, "repeat": 1}, "CarRacing-v3": {"rows": 84}}
"""What the paper sees of them: without the bars below, and every tic of Doom."""


def options(environment: str, options: EnvironmentConfig) -> EnvironmentConfig:
    """The paper's view of its two worlds, where nothing else was asked for."""
    return replace(options, **{name: getattr(options, name) or it for name, it in SHOWN.get(environment, {}).items()})


def default_steps(config: Config) -> int:
    """Simulator steps of a run that was not told where to end: of collecting, and of episodes of CarRacing's length."""
    episodes = 0 if config.dream else config.generations * config.population * config.rollouts
    return config.frames + 1000 * episodes


class Model(eqx.Module):
    """All that is learned; C is the mean of the search that did best so far."""

    world: VisionMemory
    controller: Controller


class Learner(eqx.Module):
    """What V's and M's updates change, and the key that update n (of V, then of M) folds n into."""

    model: Model
    vision_moments: PyTree
    memory_moments: PyTree
    carry: View
    """Of every lane of rows, at the end of the window before [lane, ...]."""
    updates: Int[Array, ""]
    key: PRNGKeyArray


def build(spaces: Spaces, config: Config, *, environment: str = "", key: PRNGKeyArray) -> Model:
    """V, M and C, freshly initialised."""
    vision_key, memory_key = jr.split(key)
    obeyed, (latents, units) = obeyed_in(environment, spaces.action), config.widths
    vision = VAE(latents, depth=config.depth, key=vision_key)
    memory = MDNRNN(latents, obeyed.outputs, units, ends=config.dream, key=memory_key)
    remembered = 0 if config.memoryless else units * (2 if config.dream else 1)
    widths = (latents + remembered, *([config.hidden] if config.hidden else []), obeyed.outputs)
    world = VisionMemory(vision, memory, jnp.asarray(config.temperature), obeyed.dial())
    return Model(world, Controller.zero(widths, bias=not config.dream))


def initialise(spaces: Spaces, config: Config, *, environment: str = "", key: PRNGKeyArray) -> Learner:
    """A learner before its first update."""
    model_key, key = jr.split(key)
    model = build(spaces, config, environment=environment, key=model_key)
    (vision, memory), parts = optimisers(config), cast(Any, model.world)
    moments = vision.init(parts.vision), memory.init(parts.memory)
    carry = jax.tree.map(lambda leaf: jnp.stack([leaf] * config.memory_batch), model.world.initial())
    return Learner(model, *moments, carry, jnp.zeros((), jnp.int32), key)


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


class Frames(NamedTuple):
    """What V learns from."""

    pixels: Any
    """uint8 [*batch, height, width, channel]."""


def update(learner: Learner, batch: Frames | Rows, config: Config) -> tuple[Learner, tuple[None, dict[str, Array]]]:
    """One step of V on frames [batch], or of M on the next window [lane, time] of every lane."""
    key, model = jr.fold_in(learner.key, learner.updates), learner.model
    vision_optimiser, memory_optimiser = optimisers(config)
    if isinstance(batch, Frames):
        loss: Any = lambda vision: (vision_losses(vision, batch.pixels, key=key), None)
        vision, moments, metrics, _ = descend(loss, model.world.vision, learner.vision_moments, vision_optimiser)
        changed = lambda it: (it.model.world.vision, it.vision_moments, it.updates)
        return eqx.tree_at(changed, learner, (vision, moments, learner.updates + 1)), (None, metrics)

    def loss_of(memory: MDNRNN) -> tuple[dict[str, Array], View]:
        world = eqx.tree_at(lambda it: it.memory, model.world, memory)
        return memory_losses(world, learner.carry, **batch._asdict(), key=key)

    memory, moments, metrics, carry = descend(loss_of, model.world.memory, learner.memory_moments, memory_optimiser)
    changed = lambda it: (it.model.world.memory, it.memory_moments, it.carry, it.updates)
    return eqx.tree_at(changed, learner, (memory, moments, carry, learner.updates + 1)), (None, metrics)


def stack_of(arrays: dict[str, np.ndarray]) -> Frames | Rows:
    """The batches of a failure, by the names under which they were kept."""
    return Frames(**arrays) if "pixels" in arrays else Rows(**arrays)


# -------------------------------------------------------------------------------------------------------- stages


def train(run: Run, config: Config, environment: str | Factory, options: EnvironmentConfig) -> None:
    """Collect, then learn V, M and C; goes on from the run's newest checkpoint. Deterministic given the run's seed."""
    collecting = replace(config.experience, train_ratio=0.0)
    with Experience(environment, options, collecting, batch=1, length=1, seed=run.seed) as experience:
        check(experience.spaces, config, run)
        stages = Stages(run, config, experience, partial(play, environment=environment, options=options))
        for stage in (stages.collect, stages.see, stages.remember, stages.evolve):
            for _ in stage():
                if run.due("checkpoint"):
                    stages.save()
                if run.stop:
                    return
        stages.save()


class Stages:
    """The four, each a loop that gives way after every piece of work, for a checkpoint or a signal."""

    def __init__(self, run: Run, config: Config, experience: Experience, play: Callable[..., Returns]) -> None:
        learner_key, act_key, self.dream_key = jr.split(jr.key(run.seed), 3)
        self.run, self.config, self.experience, self.play = run, config, experience, play
        world, spaces = run.manifest["environment"], experience.spaces
        self.obeyed = obeyed_in(world, spaces.action)
        learner = initialise(spaces, config, environment=world, key=learner_key)
        untrained = ControlledPolicy(learner.model.world, learner.model.controller, self.obeyed)
        self.explorer: Any = HeldPolicy(self.obeyed) if config.dream else ErraticPolicy(untrained)
        experience.begin(self.explorer, {}, lambda memory: {}, key=act_key)
        if experience.replay.capacity < config.frames:
            raise UserError(f"--config.experience keeps {experience.replay.capacity} of {config.frames} frames.")
        start = np.zeros(learner.model.controller.parameters.size)
        self.search = Search(start, config.sigma, config.population, seed=run.seed)
        self.done = np.zeros(2, np.int64)  # updates of V and of M, those that were skipped too
        state = experience.restore(run, (learner, self.search.state(), self.done))
        self.learner, search, self.done = state
        self.search.restore(search)

    def save(self) -> None:
        """A checkpoint of everything; what did best acts."""
        best = jnp.asarray(self.search.best, jnp.float32)
        learner = eqx.tree_at(lambda it: it.model.controller.parameters, self.learner, best)
        counters = {"done": self.done.tolist(), "generation": self.search.generation, "scored": self.search.scored}
        self.experience.save(self.run, (learner, self.search.state(), self.done), **counters)

    def collect(self) -> Iterator[None]:
        """Random play until there are enough frames; later only if all but a few of them were lost."""
        begun = self.done.any() or self.search.generation or self.search.scored
        while self.experience.replay.held < (fewest(self.config) if begun else self.config.frames):
            for episode in self.experience.collect(self.explorer):
                scores = {"episode/return": episode.score, "episode/length": episode.length}
                self.run.log(self.experience.steps, **scores)
            self.run.finished(self.experience.steps)
            yield

    def see(self) -> Iterator[None]:
        """V learns from frames drawn uniformly."""
        config, replay = self.config, self.experience.replay
        while self.done[0] < config.vision_updates:
            numbers = range(int(self.done[0]), int(self.done[0]) + config.experience.dispatch)
            drawn = [picture(replay.pick(number, config.vision_batch).observation) for number in numbers]
            self.learn(Frames(np.stack(drawn)), config.vision_updates)
            yield

    def remember(self) -> Iterator[None]:
        """M learns from all rows in order, window after window, epoch after epoch."""
        config, world, replay = self.config, self.learner.model.world, self.experience.replay
        if not config.memory_epochs or self.search.generation or self.search.scored:
            return
        rows = rows_in_lanes(world.encode, replay, self.experience.spaces.action, config.memory_batch)
        length = min(config.memory_length or (500 if config.dream else 999), rows.is_first.shape[1])
        total = round(config.memory_epochs * (rows.is_first.shape[1] // length))
        while self.done[1] < total:
            self.learn(jax.tree.map(lambda leaf: leaf[None], rows.window(int(self.done[1]), length)), total)
            yield

    def learn(self, stack: Frames | Rows, total: int) -> None:
        """Updates of V or M in one compiled call, of so many in all."""
        part, before = int(isinstance(stack, Rows)), self.experience.skipped_in_a_row
        self.learner, (_, metrics) = dispatch((update, self.config, stack), self.learner, before)
        self.experience.count(metrics["skipped"])
        failure.stop_if_hopeless(self.run, metrics["skipped"], self.learner, stack)
        self.done[part] += len(metrics["skipped"])
        numbers = {name: float(value.mean()) for name, value in metrics.items()} | self.experience.troubles
        numbers[("done/vision", "done/memory")[part]] = float(self.done[part] / total)
        self.run.log(self.experience.steps, updates=int(self.done.sum()), **numbers)

    def evolve(self) -> Iterator[None]:
        """C evolves; gives way after a generation of dreams, or after a candidate that played in the world."""
        config, model = self.config, self.learner.model
        policy = ControlledPolicy(model.world, model.controller, self.obeyed)
        score = partial(self.played, policy)
        if config.dream:
            first = first_rows(policy.world.encode, self.experience.replay)
            score = partial(dreamed_scores, policy, first, config.limit, self.dream_key)
        for report in evolve(
            self.search, score, at_once=config.dream, generations=config.generations, rollouts=config.rollouts,
            judge_every=config.evaluate_every, episodes=config.evaluation,
            finished=lambda: self.run.finished(self.experience.steps) and not config.dream,
        ):  # fmt: skip
            if report:
                share = self.search.generation / config.generations
                self.run.log(self.experience.steps, **report, **{"done/evolution": share})
            yield

    def played(
        self, policy: ControlledPolicy, parameters: np.ndarray, numbers: np.ndarray, episodes: int
    ) -> np.ndarray | None:
        """The mean return of one controller [1, parameter] in the world; None if a signal came."""
        policy = eqx.tree_at(lambda it: it.controller.parameters, policy, jnp.asarray(parameters[0], jnp.float32))
        trained = Trained(self.experience.spaces, policy.world, policy, {})
        dice, stop = (self.run.seed, int(numbers[0])), lambda: self.run.due("checkpoint") and bool(self.run.stop)
        returns = self.play(trained, episodes=episodes, dice=dice, stop=stop)
        if not returns.complete:
            return None
        self.experience.played(sum(returns.lengths))
        return np.array([returns.mean])


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
    name, spec = next((name, spec) for name, spec in sorted(spaces.observation.items()) if spec.shape == SHAPE)
    heads: dict[str, Any] = {"decode": lambda vision, state: {name: as_shown(spec, vision.decode(state.z))}}
    if config.dream:
        heads |= {"continue": lambda _, state: jax.nn.sigmoid(-state.done), "reward": lambda *_: jnp.ones(())}
    bound = {head: eqx.Partial(function, model.world.vision) for head, function in heads.items()}
    return Trained(spaces, model.world, ControlledPolicy(model.world, model.controller, obeyed), bound)
