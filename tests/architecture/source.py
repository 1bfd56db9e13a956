"""The package as text: what the rules of this folder read.

A rule is a function from `Source` to a list of complaints. Each is asked twice: about the package (no complaint), and
about a few planted lines (the complaint it exists for), so that no rule can go blind without a test failing.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "reverie"

Source = dict[str, str]
"""Text by path below the package: {"data/replay.py": "..."}."""


def package() -> Source:
    """Every Python file of the library."""
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def classes(tree: ast.AST) -> Iterator[ast.ClassDef]:
    """Every class, nested ones too."""
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or an attribute; the last name alone where it hangs on an expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}".lstrip(".")
    return dotted(node.func) if isinstance(node, ast.Call) else ""
