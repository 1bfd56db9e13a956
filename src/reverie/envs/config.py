"""What can be asked of an environment; the same few numbers for every suite, with each field's help beside it."""

from dataclasses import dataclass

NOT_FINITE = ("error", "truncate", "sanitise")


@dataclass(frozen=True)
class EnvironmentConfig:
    """How an environment is shown and stepped; 0 means the suite's or the environment's own choice."""

    pixels: bool = False
    """Observe the rendered picture instead of the state."""
    size: int = 64
    """Side of rendered pictures; larger image observations are resized to it. 0 keeps every image as it is."""
    rows: int = 0
    """Of an image observation, show only so many rows from its top, before it is resized (CarRacing 84: without the
    bar below). 0: all."""
    repeat: int = 0
    """Simulator steps per action, rewards summed. 0: the suite's own (Atari and VizDoom 4, others 1)."""
    time_limit: int = 0
    """Simulator steps after which an episode is cut. 0: the environment's own."""
    camera: int = 0
    """MuJoCo and dm_control: which camera of the model draws the picture."""
    sticky: float = 0.0
    """Atari: chance that a frame repeats the action before (paper: 0 for 100k, 0.25 for 200M)."""
    noops: int = 30
    """Atari: up to so many idle frames begin an episode."""
    grayscale: bool = False
    """Atari: one channel instead of three (paper: colour for 100k, gray for 200M)."""
    full_actions: bool = False
    """Atari: all 18 actions instead of those that the game uses."""
    not_finite: str = "error"
    """What an observation or a reward that is no finite number does: error ends the run, truncate ends the episode
    there, sanitise puts the last finite value in its place (reward 0)."""

    def __post_init__(self) -> None:
        for name in ("size", "rows", "repeat", "time_limit", "camera", "noops"):
            if getattr(self, name) < 0:
                raise ValueError(f"EnvironmentConfig.{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 <= self.sticky < 1:
            raise ValueError(f"EnvironmentConfig.sticky must be in [0, 1), got {self.sticky}")
        if self.size > 1024:
            raise ValueError(f"EnvironmentConfig.size must be at most 1024 pixels, got {self.size}")
        if self.not_finite not in NOT_FINITE:
            raise ValueError(f"EnvironmentConfig.not_finite must be one of {NOT_FINITE}, got {self.not_finite!r}")
