"""No code is loaded from data, and one module writes files.

Writing is `data/durable.py`'s alone: whatever else opens a file for writing can leave half of one behind.
"""

import ast
from collections.abc import Iterator

import pytest
from architecture.imports import imports
from architecture.source import Source, dotted, package

LOADERS = {
    "pickle",
    "_pickle",
    "cPickle",
    "pickletools",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
    "sqlite3",
}
LOADERS |= {"code", "codeop", "runpy", "imp", "zipimport", "yaml", "torch", "hydra", "jsonpickle", "dbm"}
EXECUTORS = {"eval", "exec", "compile", "__import__", "execfile", "os.system", "os.popen", "types.FunctionType"}
EXECUTORS |= {
    "types.CodeType",
    "importlib.reload",
    "np.lib.format.read_array",
    "importlib.util.spec_from_file_location",
}
IMPORTERS = {
    "__init__.py": "the public names, a table",
    "api.py": "methods, of those in their folder",
    "cli/main.py": "verbs, a table",
    "envs/make.py": "suites, a table; and the module that a user asked for",
    "envs/suites.py": "suites, a table",
}
"""Where a module may be imported by a name that is not written there, and what the name comes from."""

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
WRITERS |= {
    "mkdir",
    "makedirs",
    "rmdir",
    "rmtree",
    "unlink",
    "rename",
    "renames",
    "truncate",
    "symlink_to",
    "hardlink_to",
}
WRITERS |= {"mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "SummaryWriter", "to_csv", "to_parquet"}
WRITERS |= {"tree_serialise_leaves"}
QUALIFIED_WRITERS = {f"{module}.save" for module in ("np", "numpy", "jnp")} | {"shutil.copy", "shutil.move"}
QUALIFIED_WRITERS |= {f"os.{name}" for name in ("open", "write", "replace", "remove", "symlink", "link", "ftruncate")}
EXCEPTIONS = {
    ("run/tensorboard.py", "board.SummaryWriter"): "event files, made again from the metrics whenever asked",
    ("envs/rows.py", "os.ftruncate"): "shared memory, no file",
    ("envs/rows.py", "tempfile.TemporaryFile"): "the same, where there is no memfd",
}
"""What others write, and memory."""


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
            shell = keywords.get("shell", "False") != "False"
            if name.removeprefix("builtins.") in EXECUTORS or unpickles or shell or is_dynamic(call, path):
                found.append((call.lineno, name))
        complaints += [f"{path}:{line} {name}" for line, name in found]
    return complaints


def is_dynamic(call: ast.Call, path: str) -> bool:
    """Whether a call imports what is not named on the spot, in a file that has no business to."""
    literal = bool(call.args) and isinstance(call.args[0], ast.Constant)
    return dotted(call.func).endswith("import_module") and not literal and path not in IMPORTERS


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
            writer = writer and (path, name) not in EXCEPTIONS
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
        "importlib.import_module(header['module'])",
        "from importlib import import_module\nimport_module(name)",
        "importlib.util.spec_from_file_location('a', path)",
        "import torch",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
        "types.FunctionType(code, {})",
    ],
)
def test_planted_code_loading_is_seen(text: str) -> None:
    assert len(code_from_data({"data/replay.py": text})) == 1


def test_what_only_looks_like_it_is_not() -> None:
    text = "re.compile('a')\njax.jit(f).lower(x).compile()\nmodel.eval()\nnp.load(path, allow_pickle=False)\n"
    text += "importlib.import_module('crafter')\nsubprocess.run(words, shell=False)"
    assert code_from_data({"data/replay.py": text}) == []


def test_every_exception_is_needed() -> None:
    source = package()
    dynamic = {path for path, text in source.items() for call in calls(text) if is_dynamic(call, "")}
    assert dynamic == IMPORTERS.keys()
    used = {(path, dotted(call.func)) for path, text in source.items() for call in calls(text)}
    assert EXCEPTIONS.keys() <= used


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
        "path.unlink()",
        "path.parent.mkdir(parents=True)",
        "os.replace(a, b)",
        "tempfile.mkstemp()",
    ],
)
def test_planted_writing_is_seen(text: str) -> None:
    assert len(writers({"run/run.py": text})) == 1
    assert writers({WRITER: text}) == []


def test_reading_is_not() -> None:
    text = "open(path)\nopen(path, 'rb')\npath.open()\npath.open('r')\nos.open(os.devnull, os.O_WRONLY)\n"
    text += "Image.open('a.png')\nimage.save(buffer)\nRun.open(folder)"
    assert writers({"run/run.py": text}) == []
