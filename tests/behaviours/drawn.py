"""Two specs of actions, and what is asked of many that were drawn."""

import jax.random as jr
import numpy as np

from reverie.types import ArraySpec

NUMBERS, CHOICES = ArraySpec("continuous", (2,)), ArraySpec("discrete", (2,), (2, 3))
SPECS = {"numbers": NUMBERS, "choices": CHOICES}
KEY, DRAWS = jr.key(0), 5000


def assert_share(found, expected, total=DRAWS):
    assert abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / total)


def assert_fits(spec, actions):
    """In the form the environment takes."""
    assert (actions.shape[1:], actions.dtype) == (spec.shape, spec.dtype)
    if spec.kind == "discrete":
        assert actions.min() == 0
        assert (actions < np.array(spec.classes)).all()
    else:
        assert np.abs(actions).max() <= 1
