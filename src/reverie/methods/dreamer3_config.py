"""Settings of DreamerV3 (`methods.dreamer3`): the paper's sizes, and ours for CPUs.

Hafner et al. 2025, doi 10.1038/s41586-025-08744-2, and the authors' code where the two differ.
"""

from dataclasses import dataclass, field, replace

from reverie.models.rssm import RSSMConfig
from reverie.run import devices
from reverie.run.experience import ExperienceConfig
from reverie.run.settings import check_range


@dataclass(frozen=True)
class Config:
    """DreamerV3; the defaults are the paper's, at its default size of 200m."""

    rssm: RSSMConfig = field(default_factory=RSSMConfig)
    """The dynamics."""
    depth: int = 64
    """Channels of the convolutions, before their multipliers."""
    multipliers: tuple[int, ...] = (2, 3, 4, 4)
    """Channels of each convolution stage, in units of `depth`."""
    units: int = 1024
    """Width of the encoder's, decoder's and heads' hidden layers."""
    batch: int = 16
    """Sequences per update (B)."""
    length: int = 64
    """Steps per sequence that losses are taken of (T); one more is replayed as context."""
    horizon: int = 15
    """Imagined steps per start state (H)."""
    discount_horizon: float = 333.0
    """Discount as a horizon: gamma = 1 - 1 / discount_horizon."""
    lambda_: float = 0.95
    """Mix of one-step and long returns (lambda)."""
    free_nats: float = 1.0
    """Divergence per step below which nothing is gained, after the sum over variables."""
    dynamics_scale: float = 1.0
    """Weight of the divergence that trains the prior (beta_dyn)."""
    representation_scale: float = 0.1
    """Weight of the divergence that trains the posterior (beta_rep)."""
    replay_value_scale: float = 0.3
    """Weight of the critic's loss on replayed states (beta_repval)."""
    entropy: float = 3e-4
    """Weight of the actor's entropy (eta)."""
    return_rate: float = 0.01
    """Rate of the running percentiles of the returns."""
    slow_rate: float = 0.02
    """Rate at which the slow critic follows the critic."""
    learning_rate: float = 4e-5
    """Step size after warm-up."""
    warmup: int = 1000
    """Updates over which the step size rises from 0."""
    gradient_clip: float = 0.3
    """Largest gradient norm of a tensor, relative to the tensor's own."""

    experience: ExperienceConfig = field(default_factory=ExperienceConfig)
    """What is collected, kept and replayed."""
    dtype: str = "auto"
    """What networks compute in: float32, bfloat16, or auto (bfloat16 on accelerators, float32 on CPUs)."""

    def __post_init__(self) -> None:
        check_range(self, ("depth", "units", "batch", "horizon"), 1)
        check_range(self, ("length", "discount_horizon"), 2)
        check_range(self, ("lambda_", "return_rate", "slow_rate"), 0, 1)
        check_range(self, ("free_nats", "dynamics_scale", "representation_scale", "replay_value_scale"), 0)
        check_range(self, ("entropy", "learning_rate", "warmup", "gradient_clip"), 0)
        if self.dtype not in devices.DTYPES:
            raise ValueError(f"Config.dtype must be one of {', '.join(devices.DTYPES)}, got {self.dtype!r}")

    @property
    def discount(self) -> float:
        """gamma."""
        return 1 - 1 / self.discount_horizon


def _paper(hidden: int) -> Config:
    """The paper's rule: memory 8 times the hidden width, classes and convolution depth a sixteenth."""
    rssm = RSSMConfig(deter=8 * hidden, hidden=hidden, classes=hidden // 16)
    return Config(rssm=rssm, depth=hidden // 16, units=hidden)


NANO = Config(
    rssm=RSSMConfig(deter=128, hidden=64, stoch=8, classes=8), depth=4, units=64, batch=4,
    learning_rate=6e-4, warmup=200,
    experience=ExperienceConfig(environments=8, train_ratio=48.0, capacity=1_000_000, gibibytes=2.0, dispatch=8),
)  # fmt: skip
"""Ours: vectors on a CPU in minutes. A quarter of the batch, 15 times the step size, a fifth of the warm-up."""
TINY = replace(
    NANO, learning_rate=3e-4, rssm=RSSMConfig(deter=512, hidden=128, stoch=32, classes=8), depth=8, units=128
)
"""Ours: small images on a CPU in an hour."""

PAPER = {"1m": 64, "12m": 256, "25m": 384, "50m": 512, "100m": 768, "200m": 1024, "400m": 1536}
"""Hidden width of the paper's sizes."""
SIZES: dict[str, Config] = {"nano": NANO, "tiny": TINY} | {name: _paper(hidden) for name, hidden in PAPER.items()}
