"""Every line of the README runs, and every number in it is a row of the ledger.

The lines run in order in one empty folder, as a reader would type them. What would take minutes is shortened, and only
so: see `SHORTER`. `make demo` and `make test` are not run inside the tests; that they exist, and what they call, is.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # seven processes, most of which import jax
SHORTER = {"--steps 30000": "--steps 1040", "--episodes 100": "--episodes 2"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def shell_lines() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if not line.startswith("make ")]


def make_targets() -> list[str]:
    return [line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the environment where a clone has it, in which every line of the README has run."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".venv").symlink_to(sys.prefix)
    for line in shell_lines():
        for long, short in SHORTER.items():
            line = line.replace(long, short)
        run(folder, "bash", "-euc", line)
    for block in blocks("python"):
        run(folder, sys.executable, "-c", block)
    return folder


def run(folder: Path, *command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


def test_the_lines_run_as_they_stand(clone: Path) -> None:
    media = {path.name for path in (clone / "runs/pendulum/media").iterdir()}
    assert {"learning_curve.png", "agent.webp", "dream.webp"} <= media


def test_every_metric_is_explained(clone: Path) -> None:
    """Those that the run above has logged; NAME stands for any observation's name."""
    lines = (clone / "runs/pendulum/metrics.jsonl").read_text().splitlines()
    logged = {"episode/return", "episode/length"}.union(*map(json.loads, lines))  # no episode has ended yet
    table = (ROOT / "docs" / "dreamer3.md").read_text().split("| metric |", 1)[1].split("\n\n", 1)[0]
    explained = {name for line in table.splitlines() for name in re.findall(r"`([\w/]+)`", line.split("|")[1])}
    assert logged - {"loss/reconstruction/observation"} == explained - {"loss/reconstruction/NAME"}


def test_what_is_shortened_is_there() -> None:
    text = "\n".join(shell_lines())
    assert all(long in text for long in SHORTER)
    assert len(shell_lines()) == 5


def test_the_two_commands_exist() -> None:
    assert make_targets() == ["demo", "test"]
    calls = {"demo": "bin/reverie demo", "test": "-m pytest"}
    for target, call in calls.items():
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)
        assert call in done.stdout


def test_the_numbers_are_rows_of_the_ledger() -> None:
    spec = importlib.util.spec_from_file_location("conf", ROOT / "docs" / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    stale = [page.name for page in pages if conf.written(page.read_text()) != page.read_text()]
    assert stale == [], "make tables writes them"
    placed = "".join(page.read_text() for page in pages)
    assert [name for name, rows in conf.TABLES.items() if f"<!-- {name} -->\n{rows}\n" not in placed] == []
