"""Two abstract classes in the whole library, and no inheritance between concrete ones."""

import ast

from architecture.source import Source, classes, dotted, functions, package

CONTRACTS = {"AbstractWorldModel", "AbstractPolicy"}


def is_abstract(node: ast.ClassDef) -> bool:
    decorators = [dotted(decorator) for function in functions(node) for decorator in function.decorator_list]
    return any(name.endswith("abstractmethod") for name in decorators)


def abstract_classes(source: Source) -> set[str]:
    return {node.name for text in source.values() for node in classes(ast.parse(text)) if is_abstract(node)}


def concrete_inheritance(source: Source) -> list[str]:
    """Classes of ours below another concrete class of ours."""
    ours = {node.name for text in source.values() for node in classes(ast.parse(text)) if not is_abstract(node)}
    complaints = []
    for path, text in source.items():
        for node in classes(ast.parse(text)):
            bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
            names = {dotted(base).rpartition(".")[2] for base in bases}
            complaints += [f"{path}: {node.name}({name})" for name in sorted(names & ours)]
    return complaints


def test_there_are_two_contracts() -> None:
    assert abstract_classes(package()) == CONTRACTS


def test_nothing_inherits_from_the_concrete() -> None:
    assert concrete_inheritance(package()) == []


def test_planted_classes_are_seen() -> None:
    abstract = "class A(eqx.Module):\n    @abc.abstractmethod\n    def f(self): ...\n"
    concrete = "class B(A):\n    pass\nclass C(module.B):\n    pass\nclass D(B[int]):\n    pass\n"
    source = {"a.py": abstract, "b.py": concrete}
    assert abstract_classes(source) == {"A"}
    assert concrete_inheritance(source) == ["b.py: C(B)", "b.py: D(B)"]
