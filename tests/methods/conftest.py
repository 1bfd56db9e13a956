"""The programs of a whole method take long to compile; those that run only a few times are compiled in haste."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(scope="module")
def hasty() -> Iterator[None]:
    """Without XLA's costlier passes: two thirds of the time to compile, the same numbers to rounding."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
