"""Two abstract classes in the whole library, and no inheritance between concrete ones."""

import ast

from architecture.imports import imports
from architecture.source import Source, classes, dotted, functions, package

CONTRACTS = {"AbstractWorldModel", "AbstractPolicy"}


def is_abstract(node: ast.ClassDef) -> bool:
    decorators = [dotted(decorator) for function in functions(node) for decorator in function.decorator_list]
    return any(name.endswith("abstractmethod") for name in decorators)


def abstract_classes(source: Source) -> set[str]:
    return {node.name for text in source.values() for node in classes(ast.parse(text)) if is_abstract(node)}


def concrete_inheritance(source: Source) -> list[str]:
    """Classes of ours below another concrete class of ours."""
    concrete = {node.name for text in source.values() for node in classes(ast.parse(text)) if not is_abstract(node)}
    complaints = []
    for path, text in source.items():
        known = {node.name for node in classes(ast.parse(text))}
        known |= {found.name.rpartition(".")[2] for found in imports(text) if found.name.startswith("reverie.")}
        for node in classes(ast.parse(text)):
            bases = [dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases]
            ours = [base for base in bases if base.split(".")[0] in known and base.rpartition(".")[2] in concrete]
            complaints += [f"{path}: {node.name}({base})" for base in ours]
    return complaints


def test_there_are_two_contracts() -> None:
    assert abstract_classes(package()) == CONTRACTS


def test_nothing_inherits_from_the_concrete() -> None:
    assert concrete_inheritance(package()) == []


def test_planted_classes_are_seen() -> None:
    abstract = "class A(eqx.Module):\n    @abc.abstractmethod\n    def f(self): ...\n"
    concrete = "class B(A):\n    pass\nclass C(B):\n    pass\n"
    other = "from reverie import b\nfrom reverie.b import B\nclass D(b.B):\n    pass\nclass E(B[int]):\n    pass\n"
    others_own = "import theirs\nclass B(theirs.B):\n    pass\n"
    source = {"a.py": abstract, "b.py": concrete, "c.py": other, "d.py": others_own}
    assert abstract_classes(source) == {"A"}
    assert concrete_inheritance(source) == ["b.py: C(B)", "c.py: D(b.B)", "c.py: E(B)"]
