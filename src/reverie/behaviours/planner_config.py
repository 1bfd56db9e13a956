"""The numbers of every planner, free of jax: the command line shows them before anything is imported.

Defaults are those of the papers that `planners` names, where they say one; `scored` is what a decision costs, in plans
that are imagined and scored.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from reverie.errors import UserError


def _within(config: object, **ranges: tuple[float | int, float | int | None]) -> None:
    """ValueError for a field that is not between its two ends, both included."""
    for name, (low, high) in ranges.items():
        value = getattr(config, name)
        if not low <= value or (high is not None and not value <= high) or value == float("inf"):
            wanted = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
            raise ValueError(f"{type(config).__name__}.{name} must be {wanted}, got {value}")


@dataclass(frozen=True)
class PlanningConfig:
    """How a policy plans, whichever planner it has."""

    horizon: int = 12
    """Actions that are planned ahead (H)."""
    proposals: int = 0
    """Plans that the run's own policy dreams up for every decision, to compete with the planner's."""
    value: bool = False
    """Add what the value head says of the last imagined state."""
    discount: float = 1.0
    """Of every step, on top of the continuation head, which in dreamer3 holds the run's own discount already."""
    warm: bool = True
    """Begin with the plan before, shifted by one step; where not, from nothing (PlaNet)."""
    noise: float = 0.0
    """What is done beside the plan, to collect: deviation of noise on numbers; of choices, the share drawn anew."""

    def __post_init__(self) -> None:
        _within(self, horizon=(1, None), proposals=(0, None), discount=(0, 1), noise=(0, None))


@dataclass(frozen=True)
class ShootingConfig:
    """Random shooting."""

    candidates: int = 1000
    """Plans (N)."""

    def __post_init__(self) -> None:
        _within(self, candidates=(1, None))

    @property
    def kept(self) -> int:
        return 0

    def scored(self, proposals: int) -> int:
        return self.candidates + proposals


@dataclass(frozen=True)
class CEMConfig:
    """The cross-entropy method, with PlaNet's numbers."""

    candidates: int = 1000
    """Plans of each iteration (N)."""
    iterations: int = 10
    """How often the distribution of plans is fitted anew."""
    elites: int = 100
    """Best plans that it is fitted to (K)."""
    std: float = 1.0
    """Deviation of numbers before the first iteration."""

    def __post_init__(self) -> None:
        _within(self, candidates=(1, None), iterations=(1, None), elites=(1, self.candidates), std=(0, None))

    @property
    def kept(self) -> int:
        return 0

    def scored(self, proposals: int) -> int:
        return self.iterations * (self.candidates + proposals)


@dataclass(frozen=True)
class ICEMConfig:
    """iCEM; candidates, iterations and the noise's colour, which the paper sets per task, are a middle of its own."""

    candidates: int = 200
    """Plans of the first iteration (N)."""
    iterations: int = 3
    """How often the distribution of plans is fitted anew."""
    elites: int = 10
    """Best plans that it is fitted to (K)."""
    std: float = 0.5
    """Deviation of numbers before the first iteration."""
    colour: float = 2.0
    """Exponent of the noise's spectrum over time (beta): 0 is white, the larger the slower."""
    decay: float = 1.25
    """Every iteration has so many times fewer plans than the one before, but twice the elites at least (gamma)."""
    keep: float = 0.3
    """Share of the elites that stay, for the next iteration and for the next decision (xi)."""
    momentum: float = 0.1
    """Share of the old mean and deviation that stays (alpha)."""

    def __post_init__(self) -> None:
        _within(self, elites=(1, None), iterations=(1, None), std=(0, None), colour=(0, None), decay=(1, None))
        _within(self, candidates=(2 * self.elites, None), keep=(0, 1), momentum=(0, 1))

    @property
    def kept(self) -> int:
        return int(self.keep * self.elites)

    @property
    def counts(self) -> tuple[int, ...]:
        """Plans of each iteration."""
        counts = [self.candidates]
        for _ in range(1, self.iterations):
            counts.append(max(2 * self.elites, int(counts[-1] / self.decay)))
        return tuple(counts)

    def scored(self, proposals: int) -> int:
        return sum(self.counts) + self.kept + proposals


@dataclass(frozen=True)
class MPPIConfig:
    """Model predictive path integral control, with TD-MPC's numbers; elites = candidates is Williams et al.'s."""

    candidates: int = 512
    """Plans of each iteration (N)."""
    iterations: int = 6
    """How often the distribution of plans is fitted anew."""
    elites: int = 64
    """Best plans that are weighed (K)."""
    temperature: float = 0.5
    """Inverse of Williams et al.'s lambda: a plan worth 1 less than the best weighs exp(-temperature) of it."""
    std: float = 2.0
    """Deviation of numbers before the first iteration, and the largest."""
    min_std: float = 0.05
    """The smallest."""
    momentum: float = 0.1
    """Share of the old mean that stays."""

    def __post_init__(self) -> None:
        _within(self, candidates=(1, None), iterations=(1, None), elites=(1, self.candidates), temperature=(0, None))
        _within(self, std=(0, None), min_std=(0, self.std), momentum=(0, 1))

    @property
    def kept(self) -> int:
        return 0

    def scored(self, proposals: int) -> int:
        return self.iterations * (self.candidates + proposals)


@dataclass(frozen=True)
class GradientConfig:
    """Ascent of the score's gradient; all numbers are ours."""

    candidates: int = 16
    """Plans that climb (N)."""
    iterations: int = 20
    """Steps of each."""
    rate: float = 0.1
    """Adam's step size: of numbers, and of the logits of choices ten times that."""
    std: float = 0.5
    """Deviation of numbers around the start, before the first step."""

    def __post_init__(self) -> None:
        _within(self, candidates=(1, None), iterations=(1, None), rate=(0, None), std=(0, None))

    @property
    def kept(self) -> int:
        return 0

    def scored(self, proposals: int) -> int:
        return (self.iterations + 1) * (self.candidates + proposals)


CONFIGS = {
    "shooting": ShootingConfig(),
    "cem": CEMConfig(),
    "icem": ICEMConfig(),
    "mppi": MPPIConfig(),
    "gradient": GradientConfig(),
}
"""Of every planner, by the name that it has on the command line."""


def scaled(settings: "PlannerConfig", candidates: int) -> "PlannerConfig":
    """The same with another number of candidates, and elites in proportion, 2 at least; iCEM keeps its 10 if it can."""
    if isinstance(settings, ShootingConfig | GradientConfig):
        return dataclasses.replace(settings, candidates=candidates)
    if isinstance(settings, ICEMConfig):
        return dataclasses.replace(
            settings, candidates=candidates, elites=max(1, min(settings.elites, candidates // 2))
        )
    elites = round(settings.elites * candidates / settings.candidates)
    return dataclasses.replace(settings, candidates=candidates, elites=min(candidates, max(2, elites)))


def configured(planner: str, **numbers: Any) -> "tuple[PlanningConfig, PlannerConfig]":
    """How to plan, and the planner's own numbers, with some of both given by name; the others are the defaults.

    With other candidates and no word of elites, these follow (`scaled`). `UserError` for what does not exist or is
    out of its range.
    """
    if planner not in CONFIGS:
        raise UserError(f"there is no planner {planner!r}; there are {', '.join(CONFIGS)}.")
    how, own = PlanningConfig(), CONFIGS[planner]
    if unknown := [name for name in numbers if name not in vars(how) | vars(own)]:
        raise UserError(f"{planner} has no {unknown[0]!r}; there are {', '.join(vars(how) | vars(own))}.")
    try:
        if "candidates" in numbers and "elites" not in numbers:
            own = scaled(own, numbers["candidates"])
        how = dataclasses.replace(how, **{name: value for name, value in numbers.items() if name in vars(how)})
        own = dataclasses.replace(own, **{name: value for name, value in numbers.items() if name in vars(own)})
    except ValueError as error:
        raise UserError(f"{planner}: {error}.") from error
    return how, own


def model_calls(settings: "PlannerConfig", how: PlanningConfig) -> int:
    """Steps that are imagined for one decision; of `gradient`, each is also gone back through."""
    return how.horizon * (settings.scored(how.proposals) + how.proposals)


PlannerConfig = ShootingConfig | CEMConfig | ICEMConfig | MPPIConfig | GradientConfig
