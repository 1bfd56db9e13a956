"""Reverie: world models, learned simulators that an agent can dream in.

method      representation     dynamics                        learns by                          behaviour
planet      any observation    Gaussian RSSM, GRU              reconstruction, reward, KL         plans, by CEM
dreamer1    any observation    Gaussian RSSM, GRU              the same                           actor-critic: gradient
                                                                                                  through the dynamics
dreamer2    any observation    categorical RSSM, GRU           the same, KL balanced              actor-critic, either
                                                                                                  REINFORCE or gradient
dreamer3    any observation    categorical RSSM, block GRU     reconstruction, reward, balanced   actor-critic on
                                                               KL, replay critic                  imagined trajectories
vmc         frames: VAE        LSTM, mixture of Gaussians      reconstruction; likelihood         linear, evolved in the
                                                                                                  world or in dreams

    import reverie

    agent = reverie.train("dreamer3", "CartPole-v1", size="nano", budget="5m")
    agent = reverie.load(agent.run)  # or any run folder
    agent.reset()
    action = agent.act(observation)         # a native Gymnasium observation in, a native action out
    agent.evaluate(episodes=100).mean

Importing the package imports neither jax nor gymnasium: every name below is fetched when it is first used. Layers, each
importing only earlier ones: errors, types, protocol, maths, nn, rollout, data, envs, models, behaviours, evaluate, run,
methods, api, studio, cli.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reverie.api import Agent as Agent
    from reverie.api import draw as draw
    from reverie.api import dream as dream
    from reverie.api import load as load
    from reverie.api import resume as resume
    from reverie.api import train as train
    from reverie.envs.make import EnvironmentConfig as EnvironmentConfig
    from reverie.envs.make import make as make
    from reverie.errors import UserError as UserError
    from reverie.protocol import AbstractPolicy as AbstractPolicy
    from reverie.protocol import AbstractWorldModel as AbstractWorldModel
    from reverie.protocol import Trained as Trained
    from reverie.types import ArraySpec as ArraySpec
    from reverie.types import Sequence as Sequence
    from reverie.types import Spaces as Spaces
    from reverie.types import Step as Step

__version__ = "0.1.0"

__all__ = [
    "AbstractPolicy",
    "AbstractWorldModel",
    "Agent",
    "ArraySpec",
    "EnvironmentConfig",
    "Sequence",
    "Spaces",
    "Step",
    "Trained",
    "UserError",
    "__version__",
    "draw",
    "dream",
    "load",
    "make",
    "resume",
    "train",
]

_HOMES = {
    "api": ("Agent", "draw", "dream", "load", "resume", "train"),
    "envs.make": ("EnvironmentConfig", "make"),
    "errors": ("UserError",),
    "protocol": ("AbstractPolicy", "AbstractWorldModel", "Trained"),
    "types": ("ArraySpec", "Sequence", "Spaces", "Step"),
}


def __getattr__(name: str) -> Any:
    """Fetches a public name from its home on first use (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"reverie.{home}"), name)
    raise AttributeError(f"module 'reverie' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
