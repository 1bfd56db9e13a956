"""No code is loaded from data, and one module writes files.

Writing is `data/durable.py`'s alone: whatever else opens a file for writing can leave half of one behind.
"""

import ast
from collections.abc import Iterator

import pytest
from architecture.imports import imports
from architecture.source import Source, dotted, package

LOADERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "sqlite3", "code", "codeop"}
EXECUTORS = {"eval", "exec", "compile", "__import__"}
WRITER = "data/durable.py"
WRITERS = {
    "write_text",
    "write_bytes",
    "touch",
    "savez",
    "savez_compressed",
    "savetxt",
    "tofile",
    "save_file",
    "copyfile",
}
WRITERS |= {"imwrite", "imsave", "mimsave", "mimwrite", "FileHandler", "memmap", "copytree", "copy2", "copyfileobj"}
QUALIFIED_WRITERS = {f"{module}.save" for module in ("np", "numpy", "jnp")} | {"shutil.copy", "shutil.move", "os.open"}


def calls(text: str) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def code_from_data(source: Source) -> list[str]:
    """Imports and calls that can turn bytes into running code."""
    complaints = []
    for path, text in source.items():
        found = [(found.line, found.name) for found in imports(text) if found.name.split(".")[0] in LOADERS]
        for call in calls(text):
            name = dotted(call.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            unpickles = keywords.get("allow_pickle", "False") != "False"
            if name.removeprefix("builtins.") in EXECUTORS or unpickles or name in ("yaml.load", "torch.load"):
                found.append((call.lineno, name))
        complaints += [f"{path}:{line} {name}" for line, name in found]
    return complaints


def opens_for_writing(call: ast.Call) -> bool:
    """Whether a call of `open` is anything but a plain read; a mode that is no literal counts as writing."""
    name = dotted(call.func)
    if name.rpartition(".")[2] not in ("open", "fdopen"):
        return False
    owner = name.rpartition(".")[0].rpartition(".")[2]
    bare = owner in ("", "io", "os", "builtins", "gzip", "codecs", "Path")
    given = call.args[1:2] if bare else [] if owner.istitle() else call.args[:1]  # Image.open and Run.open only read
    given += [keyword.value for keyword in call.keywords if keyword.arg == "mode"]
    modes = [mode.value if isinstance(mode, ast.Constant) else "w" for mode in given]
    return any(set(str(mode)) & set("wax+") for mode in modes)


def writers(source: Source) -> list[str]:
    """Calls outside `data/durable.py` that write a file."""
    complaints = []
    for path, text in source.items():
        for call in calls(text) if path != WRITER else ():
            name = dotted(call.func)
            writer = name.rpartition(".")[2] in WRITERS or name in QUALIFIED_WRITERS
            nowhere = bool(call.args) and ast.unparse(call.args[0]) == "os.devnull"
            complaints += (
                [f"{path}:{call.lineno} {name}"] if (writer or opens_for_writing(call)) and not nowhere else []
            )
    return complaints


def test_no_code_comes_from_data() -> None:
    assert code_from_data(package()) == []


def test_one_module_writes_files() -> None:
    assert writers(package()) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from cloudpickle import loads",
        "def f():\n    import shelve",
        "import importlib\nimportlib.import_module('dill')",
        "eval('1 + 1')",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
    ],
)
def test_planted_code_loading_is_seen(text: str) -> None:
    assert len(code_from_data({"data/replay.py": text})) == 1


def test_what_only_looks_like_it_is_not() -> None:
    text = "re.compile('a')\njax.jit(f).lower(x).compile()\nmodel.eval()\nnp.load(path, allow_pickle=False)"
    assert code_from_data({"data/replay.py": text}) == []


@pytest.mark.parametrize(
    "text",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "open(path, mode)",
        "path.open('r+b')",
        "path.open(mode)",
        "Path.open(path, 'w')",
        "with path.open(mode='x') as file:\n    pass",
        "path.write_text('a')",
        "(folder / 'a').write_bytes(b'')",
        "np.save(path, array)",
        "np.savez(path, a=array)",
        "safetensors.numpy.save_file(arrays, path)",
        "os.fdopen(descriptor, 'wb')",
        "os.open(path, os.O_WRONLY)",
        "shutil.copy(a, b)",
    ],
)
def test_planted_writing_is_seen(text: str) -> None:
    assert len(writers({"run/run.py": text})) == 1
    assert writers({WRITER: text}) == []


def test_reading_is_not() -> None:
    text = "open(path)\nopen(path, 'rb')\npath.open()\npath.open('r')\nos.open(os.devnull, os.O_WRONLY)\n"
    text += "Image.open('a.png')\nimage.save(buffer)\nRun.open(folder)"
    assert writers({"run/run.py": text}) == []
