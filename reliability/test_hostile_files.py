"""No code on load: hostile files are refused with a sentence, and nothing that code would need happens meanwhile."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reliability import hostile

ROOT = Path(__file__).parents[1]


def run(script: list[str], folder: Path) -> list[str]:
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(ROOT)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, *script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[dict]:
    return [json.loads(line) for line in run(["-m", "reliability.hostile", str(folder)], folder)][1:]


def test_there_are_more_than_fifty(answers: list[dict]) -> None:
    assert len(answers) > 120
    assert len({answer["name"] for answer in answers}) == len(answers)


def test_each_is_refused_with_a_sentence(answers: list[dict]) -> None:
    others = {answer["name"]: answer["came"] for answer in answers if not answer["came"].startswith("refused: ")}
    assert others == {}
    assert {answer["name"] for answer in answers if len(answer["came"]) < 50} == set()


def test_nothing_was_unpickled_imported_compiled_or_run(answers: list[dict], folder: Path) -> None:
    assert {answer["name"]: answer["noted"] for answer in answers if answer["noted"]} == {}
    assert {answer["name"]: answer["modules"] for answer in answers if answer["modules"]} == {}
    assert not list(folder.rglob(hostile.CANARY))


def test_the_hook_would_have_seen_it(tmp_path: Path) -> None:
    """The same files, opened by what opens such files without a question."""
    program = """
import json, pickle, sys
from reliability import hostile
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event in hostile.SEEN else None)
pickle.loads(hostile.executable()["pickle 4"])
print(json.dumps(sorted(set(seen))))
"""
    (line,) = run(["-c", program], tmp_path)
    assert {"pickle.find_class", "os.system"} <= set(json.loads(line))
    assert (tmp_path / hostile.CANARY).exists()
