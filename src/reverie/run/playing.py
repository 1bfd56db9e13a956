"""What controllers score in the world: whole episodes of their own, apart from those that evaluations play.

An environment that raises is opened anew, and the episodes are played with other dice; what goes on raising ends the
run with the environment's own traceback. Here it lives in the trainer's process: its death or hanging is the trainer's.
"""

import logging
import traceback
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory, name_of
from reverie.envs.pool import FRUITLESS
from reverie.errors import UserError
from reverie.evaluate.returns import Returns, evaluate
from reverie.protocol import Trained
from reverie.run.run import Run

log = logging.getLogger(__name__)
_DOMAIN = 0x706C6179  # keeps these seeds apart from those that others make of the same number


def played_scores(
    trained: Trained,
    parameters: np.ndarray,
    numbers: np.ndarray,
    episodes: int,
    *,
    environment: str | Factory,
    options: EnvironmentConfig,
    run: Run,
    count: Callable[[int], None],
) -> np.ndarray | None:
    """The mean return [1] of one controller [1, parameter] over episodes whose dice are a function of its number [1].

    Args:
        trained: of which the controller's parameters are replaced.
        parameters, numbers, episodes: of the controller.
        environment, options: the world.
        run: whose seed and signals count; after one of those, None is what is returned.
        count: is told how many steps were made.
    """
    policy = eqx.tree_at(lambda it: it.policy.controller.parameters, trained, jnp.asarray(parameters[0], jnp.float32))
    dice, stop = (run.seed, int(numbers[0])), lambda: run.due("checkpoint") and bool(run.stop)
    returns = play(policy, environment, options, episodes=episodes, dice=dice, stop=stop)
    if not returns.complete:
        return None
    count(sum(returns.lengths))
    return np.array([returns.mean])


def play(
    trained: Trained,
    environment: str | Factory,
    options: EnvironmentConfig,
    *,
    episodes: int,
    dice: tuple[int, int],
    stop: Callable[[], bool],
) -> Returns:
    """Returns of so many episodes, which are a function of the `dice`: a run's seed, and a number.

    Raises `UserError` (code 70) when the environment failed three times on end.
    """
    for attempt in range(FRUITLESS):
        seed = int(np.random.SeedSequence([_DOMAIN, *dice, attempt]).generate_state(1)[0] >> 1)
        try:
            return evaluate(trained, environment, options, episodes=episodes, seed=seed, stop=stop)
        except UserError:
            raise
        except Exception:
            failure = traceback.format_exc()
            log.warning("%s failed and is opened anew", name_of(environment), exc_info=True)
    raise UserError(f"{name_of(environment)} failed {FRUITLESS} times on end; the last time:\n{failure}", code=70)
