"""Settings of World Models (`methods.vmc`): the paper's, and ours for two cores; what each of its stages depends on.

Ha, Schmidhuber, arXiv 1803.10122, appendix A, and the authors' code where the two differ.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated

from tyro.conf import arg

from reverie.envs.config import EnvironmentConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.settings import check_range


@dataclass(frozen=True)
class Config:
    """World Models; the defaults are the paper's for CarRacing, and with `dream` its for Doom."""

    dream: Annotated[bool, arg(aliases=["--dream"])] = False
    """Evolve C inside M's dream and never in the world."""
    rewards: bool = False
    """M predicts rewards too, and they are what a dream pays, instead of 1 for every step."""
    shaping: float = 1.0
    """Share of their gradient that reaches M's memory; 0: M is the same as without them."""
    iterations: int = 1
    """How often all stages are gone through; from the second time on C collects."""
    frames: int = 10_000_000
    """Rows collected by random play; and by C in every further iteration."""
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
    thrift: int = 1
    """In the world, so many times fewer rollouts and episodes of evaluation than in a dream."""
    sigma: float = 0.1
    """Step size that evolution begins with."""
    evaluate_every: int = 25
    """Generations after which the mean of the search plays itself; the best mean is kept."""
    evaluation: int = 1024
    """Episodes that it plays then."""
    repeat: int = 0
    """Simulator steps for each action of a run that is to act in the world. 0: the world's own."""
    experience: ExperienceConfig = field(
        default_factory=lambda: ExperienceConfig(train_ratio=0.0, capacity=10_000_000, gibibytes=128.0)
    )
    """Collecting; `train_ratio` has no meaning here, `dispatch` is of V."""

    def __post_init__(self) -> None:
        counts = ("iterations", "frames", "depth", "vision_batch", "memory_batch", "limit", "rollouts", "generations")
        check_range(self, (*counts, "evaluate_every", "evaluation", "thrift"), 1)
        zero = ("repeat", "latents", "units", "memory_length", "hidden", "vision_epochs", "memory_epochs")
        check_range(self, (*zero, "vision_rate", "memory_rate", "gradient_clip"), 0)
        check_range(self, ("shaping",), 0, 1)
        if self.population % 2 or self.population < 4 or not min(self.temperature, self.sigma) > 0:
            raise ValueError("Config: population must be even and 4 at least, temperature and sigma above 0")

    @property
    def widths(self) -> tuple[int, int]:
        """Latents and units."""
        return self.latents or (64 if self.dream else 32), self.units or (512 if self.dream else 256)

    @property
    def episodes(self) -> tuple[int, int]:
        """Of each candidate, and of the mean when it is judged."""
        fewer = 1 if self.dream else self.thrift
        return max(1, self.rollouts // fewer), max(1, self.evaluation // fewer)

    @property
    def vision_updates(self) -> int:
        """Of V in all: whole compiled calls."""
        calls = self.vision_epochs * self.frames / (self.vision_batch * self.experience.dispatch)
        return round(calls) * self.experience.dispatch


NANO = Config(
    frames=300_000, depth=16, vision_batch=50, vision_epochs=1.0, vision_rate=1e-3, memory_batch=25, memory_length=200,
    memory_epochs=27.0, population=32, rollouts=8, generations=100, evaluation=256, thrift=4, repeat=4,
    experience=ExperienceConfig(
        environments=8, workers=2, train_ratio=0.0, capacity=400_000, gibibytes=6.0, dispatch=4
    ),
)  # fmt: skip
"""Ours, for two cores and two hours: fewer frames, V of half the width that takes larger steps, shorter windows, fewer
candidates; M and C are the paper's."""
SIZES: dict[str, Config] = {"nano": NANO, "paper": Config()}

SHOWN: dict[str, dict[str, int]] = {"VizdoomTakeCover-v1": {"rows": 200, "repeat": 1}, "CarRacing-v3": {"rows": 84}}
"""What the paper sees of them: without the bars below, and every tic of Doom."""


def options(environment: str, options: EnvironmentConfig, config: Config) -> EnvironmentConfig:
    """The paper's view of its two worlds, and the size's repeat, where nothing else was asked for."""
    view = ({} if config.dream else {"repeat": config.repeat}) | SHOWN.get(environment, {})
    return replace(options, **{name: getattr(options, name) or it for name, it in view.items()})


def default_steps(config: Config) -> int:
    """Simulator steps of a run that was not told where to end: of collecting, and of episodes of CarRacing's length."""
    rollouts, judging = config.episodes
    judged = 1 + config.generations // config.evaluate_every
    episodes = 0 if config.dream else config.generations * config.population * rollouts + judged * judging
    return config.iterations * (config.frames * max(1, 0 if config.dream else config.repeat) + 1000 * episodes)


STAGES = {
    "collect": ("dream", "frames", "iterations", "repeat", "experience", "latents", "units", "depth"),
    "vision": ("vision_epochs", "vision_batch", "vision_rate"),
    "memory": ("memory_epochs", "memory_batch", "memory_length", "memory_rate", "gradient_clip", "rewards", "shaping"),
    "evolution": ("memoryless", "hidden", "temperature", "limit", "population", "rollouts", "generations", "sigma",
                  "evaluate_every", "evaluation", "thrift"),
}  # fmt: skip
"""In order, and the settings that each brings in."""
