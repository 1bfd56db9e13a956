"""The worlds we know by name: what each is called, what it needs, and who builds it.

A suite with a catch has a module of its own with one function, `build`; the others are Gymnasium's as they are.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import gymnasium


@dataclass(frozen=True)
class Suite:
    """A family of environments that install together."""

    name: str
    needs: str
    """The module whose presence says that the suite is installed."""
    extra: str
    """What `pip install ".[extra]"` it takes; empty: part of every installation."""
    owns: Callable[[str], bool]
    """Whether an id is this suite's."""
    examples: tuple[str, ...]
    shows: str
    """What its worlds look like and how they are stepped unless told otherwise."""
    module: str = ""
    """Imported to build one of its environments; has `build(name, config, render) -> World`."""
    registers: str = ""
    """Imported so that Gymnasium knows the ids."""

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.needs) is not None

    @property
    def remedy(self) -> str:
        """The sentence that gets it installed."""
        if self.extra:
            return f'pip install ".[{self.extra}]"'
        return "docs/environments.md says how" if self.name == "procgen" else "reinstall reverie"

    def ids(self) -> list[str]:
        """Every id that exists here and now; the examples where the suite is not installed."""
        if not self.installed:
            return list(self.examples)
        if self.registers:
            importlib.import_module(self.registers)
        known = sorted(name for name in gymnasium.registry if self.owns(name))
        return known or list(self.examples)


def _named(*names: str) -> Callable[[str], bool]:
    return lambda name: name.rpartition("-v")[0] in names


def _under(*prefixes: str) -> Callable[[str], bool]:
    return lambda name: name.startswith(prefixes)


CLASSIC = ("CartPole", "Pendulum", "MountainCar", "MountainCarContinuous", "Acrobot")
BOX2D = ("LunarLander", "LunarLanderContinuous", "BipedalWalker", "BipedalWalkerHardcore", "CarRacing")
MUJOCO = (
    *("Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum", "InvertedPendulum"),
    *("Pusher", "Reacher", "Swimmer", "Walker2d"),
)
TABULAR = ("FrozenLake", "FrozenLake8x8", "Taxi", "CliffWalking", "CliffWalkingSlippery", "Blackjack")

SUITES: tuple[Suite, ...] = (
    Suite("toys", "gymnasium", "", _under("reverie/"), ("reverie/Bandit-v0",), "two numbers; known best returns"),
    Suite(
        name="classic control",
        needs="pygame",
        extra="",
        owns=_named(*CLASSIC),
        examples=("CartPole-v1", "Pendulum-v1"),
        shows="a few numbers",
        module="classic",
    ),
    Suite("tabular", "gymnasium", "", _named(*TABULAR), ("FrozenLake-v1",), "one choice of many"),
    Suite(
        name="box2d",
        needs="Box2D",
        extra="box2d",
        owns=_named(*BOX2D),
        examples=("LunarLander-v3", "CarRacing-v3"),
        shows="numbers; CarRacing is colour, resized to 64x64",
        module="boxes",
    ),
    Suite(
        name="mujoco",
        needs="mujoco",
        extra="mujoco",
        owns=_named(*MUJOCO),
        examples=("HalfCheetah-v5", "Hopper-v5"),
        shows="numbers, or 64x64 colour with pixels (no shadows)",
        module="physics",
    ),
    Suite(
        name="atari",
        needs="ale_py",
        extra="atari",
        owns=_under("ALE/"),
        examples=("ALE/Breakout-v5", "ALE/MsPacman-v5"),
        shows="64x64 colour, repeat 4, no sticky actions, the game's own actions: the 100k protocol",
        module="atari",
        registers="ale_py",
    ),
    Suite(
        name="dm_control",
        needs="dm_control",
        extra="dmc",
        owns=_under("dm_control/"),
        examples=("dm_control/cartpole-swingup", "dm_control/walker-walk"),
        shows="numbers, or 64x64 colour with pixels (no shadows); 1000 steps",
        module="control",
    ),
    Suite(
        name="minigrid",
        needs="minigrid",
        extra="minigrid",
        owns=_under("MiniGrid-", "BabyAI-"),
        examples=("MiniGrid-Empty-5x5-v0", "MiniGrid-DoorKey-5x5-v0"),
        shows="the cells in view and the direction, one-hot; 64x64 colour with pixels",
        module="grid",
        registers="minigrid",
    ),
    Suite(
        name="minatar",
        needs="minatar",
        extra="minatar",
        owns=_under("MinAtar/"),
        examples=("MinAtar/Breakout", "MinAtar/Freeway"),
        shows="10x10 planes, sticky actions 0.1, the game's own actions",
        module="planes",
    ),
    Suite(
        name="crafter",
        needs="crafter",
        extra="crafter",
        owns=_under("crafter/"),
        examples=("crafter/reward", "crafter/noreward"),
        shows="64x64 colour, 17 actions, 10000 steps; made deterministic",
        module="crafting",
    ),
    Suite(
        name="vizdoom",
        needs="vizdoom",
        extra="doom",
        owns=_under("Vizdoom"),
        examples=("VizdoomTakeCover-v1", "VizdoomBasic-v1"),
        shows="64x64 colour and game variables, repeat 4",
        module="doom",
        registers="vizdoom.gymnasium_wrapper",
    ),
    Suite(
        name="procgen",
        needs="procgen",
        extra="",
        owns=_under("procgen/"),
        examples=("procgen/coinrun", "procgen/bigfish"),
        shows="64x64 colour; put there by hand, for it declares numpy < 2",
        module="procgen",
    ),
)


def suite_of(name: str) -> Suite | None:
    """The suite that an id belongs to, if we know it."""
    return next((suite for suite in SUITES if suite.owns(name)), None)
