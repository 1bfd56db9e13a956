"""Settings of PlaNet (`methods.planet`): the paper's, and ours for CPUs.

Hafner et al., arXiv 1811.04551, and the authors' code where the two differ.
"""

from dataclasses import dataclass, field, replace

from reverie.behaviours.planner_config import CEMConfig
from reverie.envs.config import EnvironmentConfig
from reverie.models.gaussian_rssm import GaussianRSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.settings import check_range


@dataclass(frozen=True)
class Config:
    """PlaNet; the defaults are the paper's."""

    rssm: GaussianRSSMConfig = field(default_factory=GaussianRSSMConfig)
    """The dynamics, or one of its two ablations."""
    depth: int = 32
    """Channels of the first convolution; the others are multiples of it."""
    units: int = 300
    """Width of the reward's three hidden layers."""
    batch: int = 50
    """Sequences per update (B)."""
    length: int = 50
    """Steps per sequence (T)."""
    free_nats: float = 3.0
    """Divergence per step below which nothing is gained."""
    kl_scale: float = 1.0
    """Weight of the divergence; without noise (rnn) it has none."""
    reward_scale: float = 10.0
    """Weight of the reward's likelihood."""
    overshooting: int = 0
    """Steps that the prior is rolled out for to be compared with later posteriors (latent overshooting, D); 0: none."""
    overshooting_scale: float = 1.0
    """Its weight (beta)."""
    learning_rate: float = 1e-3
    """Step size."""
    epsilon: float = 1e-4
    """Adam's."""
    gradient_clip: float = 1000.0
    """Largest norm of the gradient."""
    horizon: int = 12
    """Steps of a plan (H)."""
    planner: CEMConfig = field(default_factory=CEMConfig)
    """How plans are searched for (J candidates, K elites, I iterations)."""
    noise: float = 0.3
    """While collecting: standard deviation of what is added to numbers, or chance that a choice is drawn anew."""
    repeat: int = -1
    """Simulator steps per action where no other repeat is asked for. -1: the paper's, of the task; 0: the
    environment's own."""

    experience: ExperienceConfig = field(
        default_factory=lambda: ExperienceConfig(
            environments=1, train_ratio=0.0, updates_per_episode=100, prefill=1250, pretrain=100,
            capacity=1_000_000, gibibytes=16.0,
        )
    )  # fmt: skip
    """What is collected, kept and replayed."""

    def __post_init__(self) -> None:
        check_range(self, ("depth", "units", "batch", "horizon"), 1)
        check_range(self, ("length",), 2)
        check_range(self, ("free_nats", "kl_scale", "reward_scale", "overshooting", "overshooting_scale", "noise"), 0)
        check_range(self, ("learning_rate", "epsilon", "gradient_clip"), 0)
        check_range(self, ("repeat",), -1)


NANO = Config(
    rssm=GaussianRSSMConfig(deter=64, hidden=64, stoch=8), depth=4, units=64, batch=16, length=16, free_nats=1.0,
    kl_scale=0.1, epsilon=1e-5, planner=CEMConfig(candidates=400, elites=40, iterations=8),
    experience=ExperienceConfig(
        environments=4, train_ratio=256.0, prefill=1000, capacity=1_000_000, gibibytes=2.0, dispatch=4
    ),
)  # fmt: skip
"""Ours: vectors on a CPU in minutes."""
TINY = replace(
    NANO, rssm=GaussianRSSMConfig(deter=128, hidden=64, stoch=16), depth=8,
    planner=CEMConfig(candidates=200, elites=20, iterations=6),
)  # fmt: skip
"""Ours: small images on a CPU in an hour."""
SIZES = {"nano": NANO, "tiny": TINY, "paper": Config()}

REPEATS = {"cartpole": 8, "reacher": 4, "cheetah": 4, "finger": 2, "ball_in_cup": 4, "walker": 2}
"""The paper's, by the domain of the task."""


def options(environment: str, options: EnvironmentConfig, config: Config) -> EnvironmentConfig:
    """The task's action repeat, where no other was asked for."""
    domain = environment.rpartition("/")[2].partition("-")[0]
    repeat = config.repeat if config.repeat >= 0 else REPEATS.get(domain, 0)
    return replace(options, repeat=options.repeat or repeat)
