"""What every test runs under: shapes checked, no implicit broadcast or promotion, no network, one compilation cache.

Shapes: jaxtyping rewrites `reverie` as it is imported, and beartype checks every annotation at every call. Worker
processes and command lines started by a test run the library as its users do, without any of this but the cache and
the quicker compiler; `reliability` has the users' own.
"""

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

CACHE = Path(__file__).parents[1] / ".cache" / "jax"

# Inherited by the processes that tests start; read by jax when it is imported.
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # the numbers of the tests are a CPU's
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", str(4 * 2**30))  # a limit makes jax lock it: workers share it
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")  # compiles in half the time

install_import_hook("reverie", "beartype.beartype")

import jax  # after its environment is set

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

settings.register_profile("reverie", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("reverie")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker sits idle while another finishes one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


MAPS = Path("/proc/self/maps")
MOST_MAPS = 20_000


@pytest.fixture(autouse=True)
def few_programs() -> Iterator[None]:
    """Each compiled program holds some ten memory maps, and beyond Linux's 65,530 the next one ends the process."""
    yield
    if MAPS.exists() and len(MAPS.read_bytes().splitlines()) > MOST_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Reverie works without a network, and so do its tests: only this machine can be connected to."""
    connect = socket.socket.connect

    def local(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise PermissionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local)
        yield
