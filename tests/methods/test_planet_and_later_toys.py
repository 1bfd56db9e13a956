"""The methods before DreamerV3 learn the worlds whose best return is known, each of which needs one faculty.

As for DreamerV3 (`test_dreamer3_toys`): thresholds far above a random policy's and above every tempting wrong answer.
One config for each method, and two programs: of two choices (Delay asks for all that Bandit does), and of a number.
What is judged is the policy that was learned, without the noise of collecting.

Some cannot learn some worlds, as their papers are. PlaNet predicts no ends: it leaves, and it plans past the end of
Point, of which it knows nothing. Dreamer follows the slope of what it predicts, by the choice: towards leaving the
reward rises, and the probability of going on, near 1 or near 0 at either choice, is flat. DreamerV2 weighs choices by
what they led to (REINFORCE), and learns it.
"""

from pathlib import Path
from typing import Any

import pytest

from reverie.behaviours.planner_config import CEMConfig
from reverie.envs import toy
from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import make
from reverie.evaluate.returns import evaluate
from reverie.methods import dreamer1, dreamer2, planet
from reverie.models.discrete_rssm import DiscreteRSSMConfig
from reverie.models.gaussian_rssm import GaussianRSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.run import Run

EXPERIENCE = ExperienceConfig(
    environments=8, train_ratio=24.0, prefill=200, pretrain=1, capacity=20_000, gibibytes=1.0, dispatch=4
)
"""One update per step of all environments."""
SHAPE: dict[str, Any] = {"depth": 4, "units": 32, "batch": 16, "length": 12, "learning_rate": 3e-3, "epsilon": 1e-8}
GAUSSIAN = GaussianRSSMConfig(deter=32, hidden=32, stoch=4)
RATES: dict[str, Any] = {"actor_rate": 1e-3, "critic_rate": 1e-3}
LEARNERS = {
    "planet": (
        planet,
        planet.Config(
            rssm=GAUSSIAN, **SHAPE, free_nats=0.0, kl_scale=0.1, horizon=6, repeat=0,
            planner=CEMConfig(candidates=32, elites=4, iterations=3), experience=EXPERIENCE,
        ),
    ),
    "dreamer1": (
        dreamer1,
        dreamer1.Config(
            rssm=GAUSSIAN, **SHAPE, **RATES, free_nats=0.0, kl_scale=0.1, horizon=5, continue_scale=5.0, repeat=0,
            experience=EXPERIENCE,
        ),
    ),
    "dreamer2": (
        dreamer2,
        dreamer2.Config(
            rssm=DiscreteRSSMConfig(deter=32, hidden=32, stoch=4, classes=4), layers=2, **SHAPE, **RATES,
            kl_scale=0.1, horizon=5, discount=0.99, squash_rewards=False, entropy=3e-3, experience=EXPERIENCE,
        ),
    ),
}  # fmt: skip
EPISODES = 40
CANNOT = {
    ("planet", "reverie/End-v0"): "PlaNet predicts no ends, in the paper too",
    ("planet", "reverie/Point-v0"): "PlaNet predicts no ends, and plans past this one",
    ("dreamer1", "reverie/End-v0"): "Dreamer's gradient sees the slope of the reward, not the end that comes with it",
}
"""Who does not learn what, and why."""


def learned(method: str, world: str, steps: int, folder: Path) -> float:
    """Trains for so many simulator steps; the mean return of what was learned."""
    module, config = LEARNERS[method]
    about = {"method": method, "environment": world, "size": "toy", "seed": 0, "config": {}, "steps": steps}
    with Run.create(folder / "run", about) as run:
        module.train(run, config, world, EnvironmentConfig())
    trained = module.load(run, config, make(world, EnvironmentConfig()).spaces)
    return evaluate(trained, world, episodes=EPISODES, seed=1).mean


@pytest.mark.slow
@pytest.mark.parametrize("method", LEARNERS)
@pytest.mark.parametrize(
    ("world", "steps", "threshold"),
    [
        ("reverie/Delay-v0", 4_000, 0.8),
        ("reverie/End-v0", 6_000, 2.2),
        ("reverie/Memory-v0", 12_000, 0.85),
        ("reverie/Point-v0", 4_000, 2.55),
    ],
)
def test_a_known_answer_world_is_learned(method: str, world: str, steps: int, threshold: float, tmp_path: Path) -> None:
    if (method, world) in CANNOT:
        pytest.skip(CANNOT[method, world])
    assert toy.RANDOM[world] < 0.75 * threshold < threshold < toy.OPTIMAL[world]
    assert learned(method, world, steps, tmp_path) > threshold
