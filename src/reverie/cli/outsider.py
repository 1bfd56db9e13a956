"""A claim about another library's agent: what a row of the ledger runs after its world model is trained.

A row may name a `script`, called as `python SCRIPT RUN ENVIRONMENT --seed N --episodes K`. It trains an agent in the
dream of the run, plays so many episodes of the real environment with it, and prints as its last line
`{"returns": [...], "curve": [[dreamt step, return], ...], "seconds": ...}`. What it says on stderr is seen.
"""

import json
import subprocess
import sys
from pathlib import Path

from reverie.errors import UserError
from reverie.evaluate import ledger
from reverie.evaluate.ledger import Seed


def measured(script: str, directory: Path, environment: str, *, seed: int, episodes: int, trained: float) -> Seed:
    """Runs the script on a finished run.

    Args:
        trained: seconds that training the run took; the script's own are added.

    Raises:
        UserError: there is no such script, it failed (its exit code is ours), or its last line is something else.
    """
    from reverie.evaluate.returns import Returns, bootstrap

    if not Path(script).is_file():
        raise UserError(f"there is no script {script}: a row names it relative to the checkout; go there first.")
    words = [sys.executable, script, str(directory), environment, "--seed", str(seed), "--episodes", str(episodes)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"{script} ended with exit code {done.returncode}; what it said is above.", code=done.returncode
        )
    try:
        found = json.loads(done.stdout.splitlines()[-1])
        returns = tuple(float(value) for value in found["returns"])
        curve = [(int(step), float(value)) for step, value in found["curve"]]
        seconds = trained + float(found["seconds"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        message = f"the last line of {script} must be JSON with returns, curve and seconds, not {done.stdout[-200:]!r}."
        raise UserError(message, code=65) from error
    if len(returns) != episodes:
        raise UserError(f"{script} was asked for {episodes} episodes and played {len(returns)}.", code=65)
    import numpy as np

    result = Returns(returns, (), episodes, bootstrap(np.asarray(returns), seed=0))
    return Seed(seed, seconds, result.mean, result.std, result.confidence, returns, ledger.thinned(curve))
