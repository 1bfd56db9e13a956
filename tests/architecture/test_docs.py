"""The pages say what is so: the words, verbs, extras, suites, exit codes and functions that they name exist."""

import ast
import contextlib
import re

import pytest
from architecture.source import ROOT, Source, package
from architecture.test_project import PROJECT

from reverie import errors
from reverie.cli.main import VERBS, main
from reverie.envs.suites import SUITES

DTYPES = {"Float", "Int", "UInt8", "Bool", "Shaped", "Num", "Inexact", "Real", "Integer", "Key"}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def first_cells(text: str, heading: str) -> list[str]:
    """The first column of the table whose head begins with `heading`."""
    table = text.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def axes(source: Source) -> set[str]:
    """Every word that names an axis in a jaxtyping annotation, less what is put around it: `half_width`, `time1`."""
    words = set()
    for text in source.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple) and len(node.slice.elts) == 2:
                shape = node.slice.elts[1]
                typed = isinstance(node.value, ast.Name) and node.value.id in DTYPES
                words |= (
                    set(re.findall(r"[a-z_]+", str(shape.value)))
                    if typed and isinstance(shape, ast.Constant)
                    else set()
                )
    return {word.rpartition("_")[2] for word in words}


def test_the_glossary_has_every_axis_and_no_other() -> None:
    glossary = {word for cell in first_cells(page("time-and-shapes"), "axis") for word in cell.split(", ")}
    assert glossary == axes(package())


def test_axes_are_found() -> None:
    text = 'def f(x: Float[Array, "*batch time1 3 _half_width"], n: int) -> Int[np.ndarray, "2*stoch"]: ...'
    assert axes({"a.py": text}) == {"batch", "time", "width", "stoch"}


def test_the_equations_are_where_the_page_says() -> None:
    source = package()
    pages = "".join(map(page, ("dreamer3", "dreamer2", "dreamer1", "planet", "vmc", "planners")))
    named = re.findall(r"^\|.*\| `([a-z0-9_/]+\.py)`: (.*) \|$", pages, flags=re.MULTILINE)
    missing = [
        f"{path}: {name}"
        for path, names in named
        for name in re.findall(r"`(\w+)`", names)
        if not re.search(rf"^(?:def|class) {name}\b", source[path], flags=re.MULTILINE)
    ]
    assert named
    assert missing == []


def test_every_verb_is_documented() -> None:
    cells = first_cells(page("command-line"), "verb")
    assert set(re.findall(r"reverie ([a-z]+)", " ".join(cells))) == VERBS.keys()


def test_every_exit_code_is_documented() -> None:
    documented = {int(code) for cell in first_cells(page("command-line"), "code") for code in cell.split(", ")}
    stated = {int(code) for code in re.findall(r"(?<![\w-])(\d{1,3})(?= {2}| / |\s+\w)", errors.__doc__ or "")}
    used = {int(code) for text in package().values() for code in re.findall(r"code=(\d+)", text)}
    assert stated | used | {0} <= documented


def test_every_extra_is_documented() -> None:
    documented = re.findall(r"`([\w-]+)`", " ".join(first_cells(page("install"), "extra")))
    assert sorted(documented) == sorted(PROJECT["optional-dependencies"])


def test_every_suite_is_documented_with_its_extra() -> None:
    rows = [line.split("|") for line in page("environments").split("| suite |", 1)[1].splitlines()[2:] if "|" in line]
    documented = {(re.findall(r"`([^`]+)`", row[2])[0], row[3].strip(" `")) for row in rows[: len(SUITES)]}
    assert {id.split("/")[0].split("-")[0] for id, _ in documented} <= {
        id.split("/")[0].split("-")[0] for suite in SUITES for id in suite.ids() + list(suite.examples)
    }
    assert {extra for _, extra in documented} == {suite.extra for suite in SUITES}
    assert {suite.extra for suite in SUITES} - {""} <= PROJECT["optional-dependencies"].keys()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


LINES = sorted({line for path in PAGES for line in re.findall(r"^reverie (.*)$", path.read_text(), flags=re.MULTILINE)})


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_has_options_that_exist(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    verb, *words = line.split()
    flags = [word for word in words if word.startswith("--")]
    subject = {"bench": words[:1], "data": words[:1], "envs": words[:1], "train": words[:2]}.get(verb, [])
    subject += words[words.index("--planner") :][:2] if "--planner" in words else []
    with contextlib.suppress(SystemExit):
        main([verb, *subject, "--help"])
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert shown
    assert [flag for flag in flags if not re.search(rf"{flag}\b", shown)] == []
