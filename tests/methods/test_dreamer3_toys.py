"""DreamerV3 learns every world whose best return is known, each of which needs one faculty.

One config for all, so that three programs are compiled (four actions, two, a number). Thresholds lie far above what a
random policy gets (`toy.RANDOM`) and, where there is a tempting wrong answer, above that: 0.2 for taking the reward
now, 1 for leaving at once, 0.5 for answering without remembering; in Point the samples of a policy that is still
exploring are judged. The last `LAST` training episodes are judged.
"""

from pathlib import Path

import numpy as np
import pytest

from reverie.envs import toy
from reverie.envs.config import EnvironmentConfig
from reverie.methods import dreamer3
from reverie.models.rssm import RSSMConfig
from reverie.run.experience import ExperienceConfig
from reverie.run.run import Run

CONFIG = dreamer3.Config(
    rssm=RSSMConfig(deter=64, hidden=32, stoch=4, classes=4, blocks=4), depth=4, units=32,
    batch=32, length=6, horizon=4, learning_rate=1e-3, warmup=20, dtype="float32",
    experience=ExperienceConfig(environments=8, train_ratio=24.0, capacity=20_000, gibibytes=1.0, dispatch=4),
)  # fmt: skip
"""One update per step of all environments."""
LAST = 40


def learned(world: str, steps: int, folder: Path) -> float:
    """Trains for so many simulator steps; the mean return of the last episodes."""
    about = {"method": "dreamer3", "environment": world, "size": "toy", "seed": 0, "config": {}, "steps": steps}
    with Run.create(folder / "run", about) as run:
        dreamer3.train(run, CONFIG, world, EnvironmentConfig())
    returns = [row["episode/return"] for row in run.metrics() if "episode/return" in row]
    return float(np.mean(returns[-LAST:]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "steps", "threshold"),
    [
        ("reverie/Bandit-v0", 3_000, 0.8),
        ("reverie/Delay-v0", 4_000, 0.8),
        ("reverie/End-v0", 4_000, 2.2),
        ("reverie/Memory-v0", 10_000, 0.85),
        ("reverie/Point-v0", 4_000, 2.2),
    ],
)
def test_a_known_answer_world_is_learned(world: str, steps: int, threshold: float, tmp_path: Path) -> None:
    assert toy.RANDOM[world] < 0.75 * threshold < threshold < toy.OPTIMAL[world]
    assert learned(world, steps, tmp_path) > threshold
