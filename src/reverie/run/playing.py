"""What controllers score in the world: whole episodes of their own, apart from those that evaluations play.

An environment that raises is opened anew, and the episodes are played with other dice; what goes on raising ends the
run with the environment's own traceback. Elsewhere: doing so in other processes (`run.players`).
"""

import logging
import traceback
from collections.abc import Callable

import numpy as np

from reverie.envs.config import EnvironmentConfig
from reverie.envs.make import Factory, name_of
from reverie.envs.pool import FRUITLESS
from reverie.errors import UserError
from reverie.evaluate.returns import Returns, evaluate
from reverie.protocol import Trained

log = logging.getLogger(__name__)
_DOMAIN = 0x706C6179  # keeps these seeds apart from those that others make of the same number


def play(
    trained: Trained,
    environment: str | Factory,
    options: EnvironmentConfig,
    *,
    episodes: int,
    dice: tuple[int, ...],
    stop: Callable[[], bool],
) -> Returns:
    """Returns of so many episodes, which are a function of the `dice`: a run's seed, and numbers.

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
