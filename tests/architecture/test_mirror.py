"""Tests mirror the source, both ways: reverie/x/y.py <-> tests/x/test_y.py, further aspects in test_y_<aspect>.py."""

from architecture.source import ROOT, package

WHOLE = {"test_readme.py"}  # about no single module; the folder `architecture` neither


def untested(modules: set[str], tests: set[str]) -> list[str]:
    """Modules without their test file."""
    return sorted(module for module in modules if mirror(module) not in tests)


def orphaned(modules: set[str], tests: set[str]) -> list[str]:
    """Test files without their module."""
    stems = [mirror(module).removesuffix(".py") for module in modules]
    return sorted(
        test for test in tests if not any(f"{stem}.py" == test or test.startswith(f"{stem}_") for stem in stems)
    )


def mirror(module: str) -> str:
    """`data/replay.py` -> `data/test_replay.py`."""
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name}".lstrip("/")


def module_files() -> set[str]:
    return {path for path in package() if not path.endswith("__init__.py")}


def files_of_tests() -> set[str]:
    paths = {path.relative_to(ROOT / "tests").as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    return {path for path in paths - WHOLE if not path.startswith("architecture/")}


def test_every_module_has_its_test() -> None:
    assert untested(module_files(), files_of_tests()) == []


def test_every_test_has_its_module() -> None:
    assert orphaned(module_files(), files_of_tests()) == []


def test_a_planted_gap_is_seen() -> None:
    sources = {"types.py", "data/replay.py", "data/durable.py"}
    found = {
        "test_types.py",
        "data/test_replay.py",
        "data/test_replay_resume.py",
        "data/test_chunks.py",
        "test_replay.py",
    }
    assert untested(sources, found) == ["data/durable.py"]
    assert orphaned(sources, found) == ["data/test_chunks.py", "test_replay.py"]
