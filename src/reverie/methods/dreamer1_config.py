"""Settings of Dreamer (`methods.dreamer1`): the paper's, and ours for CPUs.

Hafner et al., arXiv 1912.01603, and the authors' code where the two differ.
"""

from dataclasses import dataclass, field, replace

from reverie.envs.config import EnvironmentConfig
from reverie.models.gaussian_rssm import GaussianRSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.settings import check_range


@dataclass(frozen=True)
class Config:
    """Dreamer; the defaults are the paper's, for control."""

    rssm: GaussianRSSMConfig = field(default_factory=GaussianRSSMConfig)
    """The dynamics."""
    depth: int = 32
    """Channels of the first convolution; the others are multiples of it."""
    units: int = 400
    """Width of the heads' hidden layers: 2 of the reward, 3 of the critic and the continuation, 4 of the actor."""
    batch: int = 50
    """Sequences per update (B)."""
    length: int = 50
    """Steps per sequence (T)."""
    horizon: int = 15
    """Imagined steps per start state (H)."""
    discount: float = 0.99
    """gamma."""
    lambda_: float = 0.95
    """Mix of one-step and long returns (lambda)."""
    free_nats: float = 3.0
    """Divergence per step below which nothing is gained."""
    kl_scale: float = 1.0
    """Weight of the divergence (beta)."""
    continue_scale: float = 0.0
    """Weight of the continuation head; 0: none, every step is discounted alike (control)."""
    reward_unit: float = 1.0
    """What is learned as a reward of 1, in worlds whose rewards are far from it; the papers' is 1."""
    squash_rewards: bool = False
    """Learn tanh(reward)."""
    noise: float = 0.3
    """While collecting: standard deviation of what is added to numbers, or chance that a choice is drawn anew."""
    last_noise: float = 0.3
    """The same in the end."""
    noise_updates: int = 0
    """Updates over which it goes from the one to the other."""
    learning_rate: float = 6e-4
    """The world model's step size."""
    actor_rate: float = 8e-5
    """The actor's step size."""
    critic_rate: float = 8e-5
    """The critic's step size."""
    epsilon: float = 1e-4
    """Adam's."""
    gradient_clip: float = 100.0
    """Largest gradient norm of the world model, of the actor and of the critic."""
    repeat: int = 2
    """Simulator steps per action where no other repeat is asked for. 0: the environment's own."""

    experience: ExperienceConfig = field(
        default_factory=lambda: ExperienceConfig(
            environments=1, train_ratio=500.0, prefill=2500, pretrain=100, capacity=2_500_000, gibibytes=32.0
        )
    )
    """What is collected, kept and replayed."""

    def __post_init__(self) -> None:
        check_range(self, ("depth", "units", "batch"), 1)
        check_range(self, ("length", "horizon"), 2)
        check_range(self, ("reward_unit",), 1e-6)
        check_range(self, ("discount", "lambda_"), 0, 1)
        check_range(self, ("free_nats", "kl_scale", "continue_scale", "noise", "last_noise", "noise_updates"), 0)
        check_range(self, ("learning_rate", "actor_rate", "critic_rate", "epsilon", "gradient_clip", "repeat"), 0)


CHOICES = Config(
    horizon=10, kl_scale=0.1, continue_scale=10.0, squash_rewards=True, noise=0.4, last_noise=0.1,
    noise_updates=200_000, repeat=0,
)  # fmt: skip
"""The paper's for worlds of discrete actions."""
NANO = Config(
    rssm=GaussianRSSMConfig(deter=64, hidden=64, stoch=8), depth=4, units=64, batch=8, length=16, free_nats=1.0,
    kl_scale=0.1, continue_scale=5.0, learning_rate=1e-3, actor_rate=2e-4, critic_rate=1e-3, epsilon=1e-8, repeat=0,
    experience=ExperienceConfig(
        environments=8, train_ratio=64.0, prefill=1000, capacity=1_000_000, gibibytes=2.0, dispatch=4
    ),
)  # fmt: skip
"""Ours: vectors on a CPU in minutes."""
TINY = replace(NANO, rssm=GaussianRSSMConfig(deter=256, hidden=128, stoch=30), depth=8, units=128)
"""Ours: small images on a CPU in an hour."""
SIZES = {"nano": NANO, "tiny": TINY, "paper": Config(), "paper-choices": CHOICES}


def options(environment: str, options: EnvironmentConfig, config: Config) -> EnvironmentConfig:
    """The size's action repeat, where no other was asked for."""
    return replace(options, repeat=options.repeat or config.repeat)
