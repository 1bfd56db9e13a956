"""Compiled programs are kept between processes, per user: the second run of the same shapes starts in seconds.

The usual variables of jax have the last word: JAX_COMPILATION_CACHE_DIR names another folder, and
JAX_ENABLE_COMPILATION_CACHE=false keeps nothing.
"""

import os
import sys
from pathlib import Path

SMALLEST = 0.5
"""Programs that take fewer seconds to compile are not kept."""
_OPTION = "jax_compilation_cache_dir"


def cache() -> None:
    """Turns the cache on where nobody has chosen one; call it before anything is compiled."""
    import jax

    if getattr(jax.config, _OPTION) is None:
        jax.config.update(_OPTION, str(folder()))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SMALLEST)


def folder() -> Path:
    """The user's cache folder, as the system has it."""
    home = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home) / "reverie" / "jax"
