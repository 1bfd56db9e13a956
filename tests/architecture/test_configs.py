"""Every field of a config is read by code that does something with it, and says what it is."""

import ast

from architecture.source import Source, classes, functions, package


def is_config(node: ast.ClassDef) -> bool:
    return node.name.endswith("Config")


def fields(node: ast.ClassDef) -> list[str]:
    """The annotated names of a dataclass, in order."""
    return [
        item.target.id for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]


def reads(tree: ast.AST) -> set[str]:
    """Attributes read anywhere but in range checks: a check alone does not make a field useful."""
    checks = [check for check in functions(tree) if check.name == "__post_init__"]
    skipped = {id(node) for check in checks for node in ast.walk(check)}
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in skipped]
    return {node.attr for node in nodes if isinstance(node.ctx, ast.Load)}


def unread_fields(source: Source) -> list[str]:
    """Config fields that no code reads."""
    trees = {path: ast.parse(text) for path, text in source.items()}
    names = set[str]().union(*(reads(tree) for tree in trees.values()))
    configs = [(path, node) for path, tree in trees.items() for node in classes(tree) if is_config(node)]
    return [f"{path}: {node.name}.{name}" for path, node in configs for name in fields(node) if name not in names]


def unexplained_fields(source: Source) -> list[str]:
    """Config fields without a docstring below them; it is the help of the command line."""
    complaints = []
    for path, text in source.items():
        for node in filter(is_config, classes(ast.parse(text))):
            followers = zip(node.body, [*node.body[1:], None], strict=True)
            for item, after in followers:
                explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if isinstance(item, ast.AnnAssign) and not explained:
                    complaints.append(f"{path}: {node.name}.{ast.unparse(item.target)}")
    return complaints


def unfrozen(source: Source) -> list[str]:
    """Configs that are not frozen dataclasses."""
    configs = [(path, node) for path, text in source.items() for node in classes(ast.parse(text)) if is_config(node)]
    frozen = "dataclass(frozen=True)"
    return [f"{path}: {node.name}" for path, node in configs if frozen not in map(ast.unparse, node.decorator_list)]


def test_every_field_is_read() -> None:
    assert unread_fields(package()) == []


def test_every_field_is_explained() -> None:
    assert unexplained_fields(package()) == []


def test_every_config_is_frozen() -> None:
    assert unfrozen(package()) == []


PLANTED = '''
@dataclass
class Config:
    horizon: int = 15
    """Imagined steps."""
    clipping: float = 40.0

    def __post_init__(self):
        assert self.clipping > 0

def loss(config):
    return config.horizon
'''


def test_planted_fields_are_seen() -> None:
    source = {"methods/dreamer3.py": PLANTED}
    assert unread_fields(source) == ["methods/dreamer3.py: Config.clipping"]
    assert unexplained_fields(source) == ["methods/dreamer3.py: Config.clipping"]
    assert unfrozen(source) == ["methods/dreamer3.py: Config"]
