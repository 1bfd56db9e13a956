"""Imports point down, a method never imports a method, and what a worker or a command line loads is free of jax."""

import subprocess
import sys

import pytest
from architecture.imports import executed, imports
from architecture.source import Source, package

ORDER = ["errors", "types", "protocol", "maths", "nn", "rollout", "data", "envs", "models", "behaviours", "evaluate"]
ORDER += ["run", "methods", "api", "reverie", "studio", "cli"]  # reverie: the package's own __init__, what users import
JAX = {"jax", "jaxlib", "equinox", "optax"}
JAX_ALLOWED = {"envs/dream.py"}  # a world model as an environment, imported only by name


LOAD = """
import importlib, sys
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # a suite that is not installed here
        if error.name.startswith("reverie"):
            raise
print(*sorted(set(sys.argv[1].split()) & sys.modules.keys()))
"""


def layer(path: str) -> str:
    """`data/replay.py` -> data; `types.py` -> types; `__init__.py` -> reverie."""
    first = path.split("/")[0].removesuffix(".py")
    return "reverie" if first.startswith("__") else first


def upward_imports(source: Source) -> list[str]:
    """Imports of a later layer by an earlier one, and of one method by another (its own settings are none)."""
    complaints = []
    for path, text in source.items():
        own = layer(path)
        for found in imports(text):
            parts = found.name.split(".")
            if parts[0] not in ("reverie", ""):
                continue
            used = next((part for part in parts[1:2] if part in ORDER), "reverie")
            upward = ORDER.index(used) > ORDER.index(own)
            settings = f"{path.removesuffix('.py').replace('/', '.')}_config"
            sibling = own == used == "methods" and path != "methods/__init__.py" and settings not in found.name
            if upward or sibling or parts[0] == "":
                complaints.append(f"{path}:{found.line} ({own}) imports {found.name}")
    return complaints


def is_jax_free(path: str) -> bool:
    """Whether importing this file must not load jax: it starts fast, or lives in a worker process."""
    listed = {"__init__.py", "errors.py", "types.py", "data/durable.py", "data/replay.py"}
    return path in listed or (layer(path) in ("envs", "cli") and path not in JAX_ALLOWED)


def jax_leaks(source: Source) -> list[str]:
    """Files that must not load jax, and through which file they do."""
    reached = {path: executed(path, source) for path in source if is_jax_free(path)}
    return [
        f"importing {path} loads {name} through {files[name]}"
        for path, files in reached.items()
        for name in sorted(JAX & files.keys())
    ]


def unknown_layers(source: Source) -> list[str]:
    """Files and folders that the order does not name, or that lie deeper than package / folder / module."""
    return [path for path in source if layer(path) not in ORDER or path.count("/") > 1]


def test_imports_point_down() -> None:
    assert upward_imports(package()) == []


def test_every_file_has_its_layer() -> None:
    assert unknown_layers(package()) == []


def test_no_jax_where_it_must_not_be() -> None:
    assert jax_leaks(package()) == []


def test_no_jax_at_run_time_either() -> None:
    paths = [path.removesuffix(".py").removesuffix("__init__").strip("/") for path in package() if is_jax_free(path)]
    names = [".".join(["reverie", *filter(None, path.split("/"))]) for path in paths]
    command = [sys.executable, "-c", LOAD, " ".join(JAX), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("maths/returns.py", "from reverie.models import rssm"),
        ("maths/returns.py", "import reverie.models.rssm"),
        ("maths/returns.py", "from reverie import api"),
        ("maths/returns.py", "import reverie"),
        ("types.py", "def f():\n    from reverie.protocol import Trained"),
        ("data/replay.py", "import importlib\nimportlib.import_module('reverie.run.run')"),
        ("methods/dreamer2.py", "from reverie.methods import dreamer3"),
        ("methods/dreamer2.py", "from reverie.methods.dreamer3 import losses"),
        ("nn/mlp.py", "from .norm import RMSNorm"),
    ],
)
def test_a_planted_upward_import_is_seen(path: str, text: str) -> None:
    assert len(upward_imports({path: text})) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("methods/dreamer3.py", "from reverie.models import rssm\nfrom reverie.types import Step"),
        ("models/rssm.py", "from reverie.models.observation import Encoder"),
        ("cli/main.py", "import reverie"),
    ],
)
def test_a_downward_import_is_not(path: str, text: str) -> None:
    assert upward_imports({path: text}) == []


@pytest.mark.parametrize(
    "source",
    [
        {"envs/pool.py": "import jax.numpy as jnp"},
        {"cli/main.py": "from reverie import api", "api.py": "import equinox", "__init__.py": ""},
        {"data/replay.py": "", "data/__init__.py": "from reverie.data import batches", "data/batches.py": "import jax"},
        {"types.py": "class A:\n    import optax"},
    ],
)
def test_a_planted_jax_is_seen(source: Source) -> None:
    assert jax_leaks(source)


def test_a_lazy_or_typing_jax_is_not() -> None:
    lazy = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import jax\ndef f():\n    import jax"
    assert jax_leaks({"cli/main.py": lazy, "envs/dream.py": "import jax"}) == []


def test_a_planted_layer_is_seen() -> None:
    assert unknown_layers({"utils/misc.py": "", "helpers.py": "", "data/store/chunk.py": "", "data/replay.py": ""}) == [
        "utils/misc.py",
        "helpers.py",
        "data/store/chunk.py",
    ]
