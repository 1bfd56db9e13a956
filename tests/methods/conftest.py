"""The programs of a whole method take long to compile; here they run a few times, so they are compiled in haste."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def hasty() -> Iterator[None]:
    """Without XLA's costlier passes: half the time to compile, the same numbers to rounding."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
