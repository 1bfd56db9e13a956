"""What all processes inherit that tests start: their compilation cache, a CPU, and a Ctrl-C that is heard."""

import os
import signal
from pathlib import Path

import pytest

from reliability.commands import METHODS, Method

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(4 * 2**30))  # a limit makes jax lock it
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background has it ignored, and children inherit that


@pytest.fixture(scope="module", params=METHODS, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest) -> Method:
    return request.param
