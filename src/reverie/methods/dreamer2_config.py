"""Settings of DreamerV2 (`methods.dreamer2`): the paper's three, and ours for CPUs.

Hafner et al., arXiv 2010.02193, and the authors' code where the two differ.
"""

from dataclasses import dataclass, field, replace

from reverie.envs.config import EnvironmentConfig
from reverie.models.discrete_rssm import DiscreteRSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.settings import check_range


@dataclass(frozen=True)
class Config:
    """DreamerV2; the defaults are the paper's, for Atari."""

    rssm: DiscreteRSSMConfig = field(default_factory=DiscreteRSSMConfig)
    """The dynamics."""
    depth: int = 48
    """Channels of the first convolution; the others are multiples of it."""
    units: int = 400
    """Width of the heads' hidden layers."""
    layers: int = 4
    """How many of them."""
    norm: bool = False
    """A LayerNorm in every hidden layer (Crafter)."""
    batch: int = 16
    """Sequences per update (B)."""
    length: int = 50
    """Steps per sequence (T)."""
    horizon: int = 15
    """Imagined steps per start state (H)."""
    discount: float = 0.999
    """gamma."""
    lambda_: float = 0.95
    """Mix of one-step and long returns (lambda)."""
    free_nats: float = 0.0
    """Mean divergence below which nothing is gained."""
    kl_scale: float = 0.1
    """Weight of the divergence (beta)."""
    kl_balance: float = 0.8
    """Share of it that trains the prior (alpha)."""
    continue_scale: float = 5.0
    """Weight of the discount head; 0: none, every step is discounted alike (control)."""
    reward_unit: float = 1.0
    """What is learned as a reward of 1, in worlds whose rewards are far from it; the papers' is 1."""
    squash_rewards: bool = True
    """Learn tanh(reward)."""
    reinforce: float = -1.0
    """Share of REINFORCE in the actor's gradient, the rest flows through the dynamics (rho). -1: 1 for choices, 0 for
    numbers."""
    entropy: float = 1e-3
    """Weight of the actor's entropy (eta)."""
    slow_every: int = 100
    """Updates after which the slow critic becomes a copy of the critic."""
    learning_rate: float = 2e-4
    """The world model's step size."""
    actor_rate: float = 4e-5
    """The actor's step size."""
    critic_rate: float = 1e-4
    """The critic's step size."""
    epsilon: float = 1e-5
    """Adam's."""
    decay: float = 1e-6
    """Share of every weight that each update takes."""
    gradient_clip: float = 100.0
    """Largest gradient norm of the world model, of the actor and of the critic."""
    repeat: int = 0
    """Simulator steps per action where no other repeat is asked for. 0: the environment's own."""

    experience: ExperienceConfig = field(
        default_factory=lambda: ExperienceConfig(
            environments=1, train_ratio=50.0, prefill=50_000, capacity=2_000_000, gibibytes=32.0
        )
    )
    """What is collected, kept and replayed."""

    def __post_init__(self) -> None:
        check_range(self, ("depth", "units", "layers", "batch", "slow_every"), 1)
        check_range(self, ("length", "horizon"), 2)
        check_range(self, ("reward_unit",), 1e-6)
        check_range(self, ("discount", "lambda_", "kl_balance", "decay"), 0, 1)
        check_range(self, ("reinforce",), -1, 1)
        check_range(self, ("free_nats", "kl_scale", "continue_scale", "entropy"), 0)
        check_range(self, ("learning_rate", "actor_rate", "critic_rate", "epsilon", "gradient_clip", "repeat"), 0)


CONTROL = Config(
    rssm=DiscreteRSSMConfig(deter=200, hidden=200), discount=0.99, free_nats=1.0, kl_scale=1.0, continue_scale=0.0,
    squash_rewards=False, entropy=1e-4, learning_rate=3e-4, actor_rate=8e-5, critic_rate=8e-5, repeat=2,
    experience=ExperienceConfig(
        environments=1, train_ratio=160.0, prefill=1000, pretrain=100, capacity=2_000_000, gibibytes=32.0
    ),
)  # fmt: skip
"""The paper's for the DeepMind Control Suite from pixels."""
CRAFTER = Config(
    rssm=DiscreteRSSMConfig(deter=1024, hidden=1024), norm=True, entropy=3e-3, learning_rate=1e-4, actor_rate=1e-4,
    critic_rate=1e-4,
    experience=ExperienceConfig(
        environments=1, train_ratio=160.0, prefill=10_000, capacity=2_000_000, gibibytes=32.0
    ),
)  # fmt: skip
"""The authors' for Crafter."""
NANO = Config(
    rssm=DiscreteRSSMConfig(deter=64, hidden=64, stoch=16, classes=16), depth=4, units=64, layers=2, batch=8,
    length=16, discount=0.99, squash_rewards=False, learning_rate=1e-3, actor_rate=3e-4, critic_rate=1e-3, epsilon=1e-8,
    experience=ExperienceConfig(
        environments=8, train_ratio=64.0, prefill=1000, capacity=1_000_000, gibibytes=2.0, dispatch=4
    ),
)  # fmt: skip
"""Ours: vectors on a CPU in minutes."""
TINY = replace(NANO, rssm=DiscreteRSSMConfig(deter=256, hidden=128, stoch=16, classes=16), depth=8, units=128)
"""Ours: small images on a CPU in an hour."""
SIZES = {"nano": NANO, "tiny": TINY, "paper": Config(), "paper-control": CONTROL, "paper-crafter": CRAFTER}


def options(environment: str, options: EnvironmentConfig, config: Config) -> EnvironmentConfig:
    """The size's action repeat, where no other was asked for."""
    return replace(options, repeat=options.repeat or config.repeat)
