"""The files around the package: a lock that holds and names no host, nothing unfinished, notes for the version."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from architecture.source import ROOT, package

import reverie

UNFINISHED = re.compile(r"TODO|FIXME|XXX|raise NotImplementedError|pragma: no cover|type: ignore|noqa")
PLACE = re.compile(r"https?://|file:|index-url|find-links|@ /|(?<![\w.])/(?:home|opt|root|tmp|usr|var|work)/")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()


def pins(lock: str) -> dict[str, list[str]]:
    """Versions by package name; more than one where markers divide them."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE):
        found.setdefault(name.lower().replace("_", "-"), []).append(version)
    return found


def unhashed(lock: str) -> list[str]:
    """Requirements that are not an exact version with at least one hash behind it."""
    logical = lock.replace("\\\n", " ").splitlines()
    required = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    return [line for line in required if not re.match(r"[\w.-]+==\S+.*--hash=sha256:[0-9a-f]{64}", line)]


def requirements(extra: str | None) -> set[str]:
    """Names that the project asks for, with the extras of ours that an extra asks for."""
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    names = set()
    for line in lines:
        own = re.match(r"reverie\[(.*)\]", line)
        names |= set().union(*map(requirements, own[1].split(","))) if own else {re.split(r"[\[<>=!~; ]", line)[0]}
    return {name.lower().replace("_", "-") for name in names}


def test_the_lock_is_hashed_and_names_no_place() -> None:
    assert unhashed(LOCK) == []
    assert PLACE.findall(LOCK) == []


def test_the_lock_covers_core_demo_and_development() -> None:
    assert requirements(None) | requirements("dev") <= pins(LOCK).keys()


def test_the_lock_holds_the_build_backend() -> None:
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {re.split(r"[<>=]", line)[0] for line in backend} <= pins(LOCK).keys()


def test_one_jax_for_every_python_and_platform() -> None:
    assert pins(LOCK)["jax"] == ["0.10.2"]


def test_nothing_is_left_unfinished() -> None:
    found = {path: UNFINISHED.findall(text) for path, text in package().items()}
    assert {path: words for path, words in found.items() if words} == {}


def test_the_version_has_its_notes() -> None:
    assert f"## {reverie.__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md"])
def test_no_machine_is_named(name: str) -> None:
    hidden = re.findall(r"(?<![\w.])/(?:home|opt|root|tmp|work)/\S*", (ROOT / name).read_text())
    assert hidden == []


def test_the_wheel_is_the_library_its_licence_and_the_command(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = f"reverie-{reverie.__version__}.dist-info"
        commands = archive.read(f"{info}/entry_points.txt").decode()
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "weights").rglob("*") if path.is_file()}
    expected = {f"reverie/{path}" for path in [*package(), *files]}
    assert expected | {"reverie/py.typed", f"{info}/licenses/LICENSE"} <= names
    assert {name.split("/")[0] for name in names} == {"reverie", info}
    assert "reverie = reverie.cli.main:main" in commands


def test_planted_flaws_are_seen() -> None:
    digest = "0" * 64
    assert unhashed(f"a==1 \\\n    --hash=sha256:{digest}\n    # via b\n") == []
    assert unhashed("a==1\n") == ["a==1"]
    assert len(unhashed(f"a>=1 \\\n    --hash=sha256:{digest}\n")) == 1
    for line in (
        "--index-url https://host/simple",
        "a @ file:///opt/a.whl",
        "#    uv compile -o /tmp/lock",
        "-r /home/a",
    ):
        assert PLACE.search(line)
