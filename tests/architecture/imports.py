"""What a file imports: which modules of ours, which of others, and whether already when it is itself imported."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from architecture.source import Source, dotted


class Import(NamedTuple):
    """One imported name, `reverie.data.replay.Replay` as well as `numpy`."""

    name: str
    line: int
    eager: bool
    """True where the import runs when the file is imported: not inside a function, not for type checkers alone."""


def imports(text: str) -> list[Import]:
    """All imports of a file, `importlib.import_module("literal")` included."""
    return list(_walk(ast.parse(text), eager=True))


def _walk(node: ast.AST, eager: bool) -> Iterator[Import]:
    yield from (Import(name, node.lineno, eager) for name in _names(node) if isinstance(node, ast.stmt | ast.expr))
    for child in ast.iter_child_nodes(node):
        lazy = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING") and child in node.body
        yield from _walk(child, eager and not lazy and not typing)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        return [f"{module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and dotted(node.func).endswith("import_module") and node.args:
        name = node.args[0]
        return [name.value] if isinstance(name, ast.Constant) and isinstance(name.value, str) else []
    return []


def files(name: str, source: Source) -> set[str]:
    """The files that importing `reverie.a.b.c` executes: the packages on the way, then the module; c may be a name."""
    parts = name.split(".")[1:]
    prefixes = ["/".join(parts[:length]) for length in range(len(parts) + 1)]
    candidates = [f"{prefix}/__init__.py".lstrip("/") for prefix in prefixes] + [f"{prefix}.py" for prefix in prefixes]
    return {path for path in candidates if path in source}


def executed(path: str, source: Source) -> dict[str, str]:
    """Every file run by importing `path`, and through which file it came in; other people's modules by their name."""
    dotted_path = "reverie." + path.removesuffix(".py").replace("/", ".")
    reached = dict.fromkeys(files(dotted_path, source), path)
    queue = list(reached)
    while queue:
        current = queue.pop()
        for found in imports(source[current]):
            ours = found.name.split(".")[0] == "reverie"
            nodes = files(found.name, source) if ours else {found.name.split(".")[0]}
            for new in nodes - reached.keys() if found.eager else ():
                reached[new] = current
                queue += [new] if new in source else []
    return reached
