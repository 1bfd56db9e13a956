"""Compiled programs are kept where the user keeps caches, unless jax was told otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reverie.run import compilation

PRINT = "import jax; print(jax.config.jax_compilation_cache_dir)"


def python(code: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert compilation.folder() == Path("/cache/reverie/jax")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert compilation.folder().is_relative_to(Path.home())


def test_programs_are_kept(tmp_path: Path) -> None:
    code = "from reverie.run import compilation; compilation.SMALLEST = 0.0; compilation.cache(); import jax\n"
    code += "jax.jit(lambda x: x * 2 + 1)(jax.numpy.arange(3.0)).block_until_ready()"
    python(code, XDG_CACHE_HOME=str(tmp_path), JAX_PLATFORMS="cpu")
    assert list((tmp_path / "reverie" / "jax").glob("*-cache"))


def test_jax_has_the_last_word(tmp_path: Path) -> None:
    code = f"from reverie.run import compilation; compilation.cache(); {PRINT}"
    assert python(code, JAX_COMPILATION_CACHE_DIR=str(tmp_path)) == str(tmp_path)
    assert python(f"import jax; jax.config.update('jax_compilation_cache_dir', 'mine'); {code}") == "mine"
