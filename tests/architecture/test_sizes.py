"""Files that fit in a head: at most 400 lines, functions of at most 60, and a docstring of at most 25 on top."""

import ast
from statistics import median

from architecture.source import Source, functions, package


def lengths(text: str) -> dict[str, int]:
    """Lines of each function, from its `def` to its end."""
    return {f"{f.name}:{f.lineno}": (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(ast.parse(text))}


def oversized(source: Source) -> list[str]:
    """Files, functions and module docstrings that are too long, and files without a docstring."""
    complaints = []
    for path, text in source.items():
        lines = text.count("\n")
        docstring = ast.get_docstring(ast.parse(text), clean=False) or ""
        complaints += [f"{path} has {lines} lines, at most 400"] if lines > 400 else []
        complaints += [f"{path} has no docstring"] if text.strip() and not docstring else []
        complaints += [f"{path}: docstring over 25 lines"] if docstring.count("\n") >= 25 else []
        long = {name: length for name, length in lengths(text).items() if length > 60}
        complaints += [f"{path}:{name} has {length} lines, at most 60" for name, length in long.items()]
    return complaints


def test_nothing_is_too_long() -> None:
    assert oversized(package()) == []


def test_most_functions_are_short() -> None:
    every = sorted(length for text in package().values() for length in lengths(text).values())
    assert median(every) <= 12
    assert every[int(0.9 * len(every))] <= 40


def test_planted_lengths_are_seen() -> None:
    head = '"""A."""\n'
    long = {
        "file.py": head + "x = 1\n" * 400,
        "function.py": head + "class A:\n    def f(self):\n" + "        x = 1\n" * 60,
        "docstring.py": '"""A.\n' + "b\n" * 24 + '"""\n',
        "bare.py": "x = 1\n",
    }
    fine = {
        "file.py": head + "x = 1\n" * 399,
        "function.py": head + "def f(self):\n" + "    x = 1\n" * 59,
        "docstring.py": '"""A.\n' + "b\n" * 23 + '"""\n',
        "empty.py": "",
    }
    assert [complaint.split()[0].split(":")[0] for complaint in oversized(long)] == list(long)
    assert oversized(fine) == []
