"""Files made to do harm: `python -m reliability.hostile FOLDER` opens each as a user would, and says what came of it.

Each is opened in this one process, under an audit hook that notes what code loaded from data would need: an unpickled
class, an import, a compilation, a command, a connection, a file opened for writing elsewhere. Prints one JSON object
per file: its name, the refusal, what was noted.
"""

import gzip
import io
import json
import marshal
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from data.numbered import empty

from reliability import runs
from reverie import api
from reverie.data import tensors
from reverie.errors import UserError
from reverie.run import checkpoints, manifest
from reverie.run.run import Run

CANARY = "canary"
SEEN = ("pickle.find_class", "import", "compile", "exec", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
SEEN += ("socket.connect", "marshal.loads", "code.__new__", "ctypes.dlopen", "os.fork")

UNEXPLAINED = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a user cannot do anything with."""

Opened = Callable[[], object]


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {CANARY}",)


# ------------------------------------------------------------------------------------------------------- safetensors


def executable() -> dict[str, bytes]:
    """Code in the formats that others load."""
    found = {f"pickle {protocol}": pickle.dumps(Payload(), protocol) for protocol in range(6)}
    found["marshal"] = marshal.dumps(compile("import os", "hostile", "exec"))
    found["gzip of pickle"] = gzip.compress(found["pickle 4"])
    archive, array = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", found["pickle 2"])
    found["zip with data.pkl"] = archive.getvalue()
    np.save(array, np.array([Payload()], object), allow_pickle=True)
    found["npy of objects"] = array.getvalue()
    found["safetensors header, then pickle"] = safetensors({"a": entry()}, found["pickle 4"])
    found["pickle behind a length"] = struct.pack("<Q", len(found["pickle 4"])) + found["pickle 4"]
    return found


def safetensors(header: object, data: bytes = b"1234") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]} | changes


def headers() -> dict[str, bytes]:
    """Headers that lie, and headers that cost."""
    many = {f"{number:05d}": entry(shape=[0], data_offsets=[0, 0]) for number in range(tensors.COUNT_LIMIT + 1)}
    described = {
        "overlapping offsets": {"a": entry(), "b": entry()},
        "overlap by one": {"a": entry(), "b": entry(data_offsets=[3, 7])},
        "a hole": {"a": entry(shape=[1], data_offsets=[0, 1]), "b": entry(shape=[1], data_offsets=[3, 4])},
        "offsets beyond the file": {"a": entry(shape=[400], data_offsets=[0, 400])},
        "offsets backwards": {"a": entry(data_offsets=[4, 0])},
        "offsets below zero": {"a": entry(data_offsets=[-4, 0])},
        "fractional offsets": {"a": entry(data_offsets=[0.0, 4.0])},
        "logical offsets": {"a": entry(shape=[1], data_offsets=[False, True])},
        "one offset": {"a": entry(data_offsets=[4])},
        "offsets of 10**30": {"a": entry(shape=[10**30], data_offsets=[0, 10**30])},
        "a huge shape": {"a": entry(shape=[2**40, 2**40])},
        "a shape whose product wraps to 4": {"a": entry(dtype="U8", shape=[2**32, 2**32, 4])},
        "a shape whose product wraps to 0": {"a": entry(shape=[2**32, 2**32], data_offsets=[0, 0])},
        "lengths below zero": {"a": entry(shape=[-2, -2])},
        "a thousand axes": {"a": entry(shape=[1] * 1000 + [4])},
        "objects": {"a": entry(dtype="O")},
        "a NumPy dtype": {"a": entry(dtype="|O8")},
        "a dtype that is a list": {"a": entry(dtype=["U8", "O"])},
        "a class": {"a": entry(dtype="builtins.eval")},
        "no dtype": {"a": {"shape": [4], "data_offsets": [0, 4]}},
        "a further field": {"a": entry(__reduce__="os.system")},
        "_target_ in the header": {"_target_": "os.system", "a": entry()},
        "metadata that is no text": {"a": entry(), "__metadata__": {"config": {"_target_": "os.system"}}},
        "a name that moves the cursor": {"\x1b[2Ja": entry()},
        "true and 3": {"a": entry(dtype="BOOL", data_offsets=[0, 4])},
        "too many arrays": many,
        "a list": [entry()],
        "bytes that belong to nothing": {"a": entry(shape=[2], data_offsets=[0, 2])},
    }
    found = {name: safetensors(header) for name, header in described.items()}
    found["true and 3"] = safetensors(described["true and 3"], b"\0\1\3\1")
    found["the same name twice"] = safetensors(
        b'{"a":' + json.dumps(entry()).encode() + b',"a":' + json.dumps(entry()).encode() + b"}"
    )
    found["nested 200,000 deep"] = safetensors(b"[" * 200_000)
    found["objects nested deep"] = safetensors(b'{"a":' * 100_000)
    found["a header of 2**63 bytes"] = struct.pack("<Q", 2**63) + b"{}"
    found["a header of 2**64 - 1 bytes"] = struct.pack("<Q", 2**64 - 1) + b"{}"
    found["a header of two megabytes"] = safetensors(b"{" + b" " * 2_000_000 + b"}", b"")
    found["an integer of 100,000 digits"] = safetensors(b'{"a": ' + b"9" * 100_000 + b"}")
    found["no UTF-8"] = safetensors(b'{"\xff\xfe": 1}')
    found["nothing"] = b""
    found["seven bytes"] = b"1234567"
    found["zeros"] = bytes(4096)
    return found


# ----------------------------------------------------------------------------------------------------------- opening


def in_a_checkpoint(folder: Path, content: bytes) -> Opened:
    """A run whose only checkpoint holds the file, with the right checksums everywhere."""
    run = folder / "run"
    runs.made(run, 1)
    (checkpoint,) = checkpoints.listed(run / checkpoints.FOLDER)
    (checkpoint / "state.safetensors").write_bytes(content)
    signed(checkpoint, {"state.safetensors": {"bytes": len(content), "blake2b": tensors.digest([content])}})
    return lambda: resumed(run)


def signed(checkpoint: Path, files: Any) -> None:
    about = json.loads((checkpoint / checkpoints.MANIFEST).read_bytes())
    del about["blake2b"]
    about["files"] = about["files"] | files if isinstance(files, dict) else files
    (checkpoint / checkpoints.MANIFEST).write_text(json.dumps(about | {"blake2b": checkpoints._digest(about)}))


def in_a_checkpoint_manifest(folder: Path, files: object) -> Opened:
    """A run whose only checkpoint says, with the right checksum, that these are its files."""
    opened = in_a_checkpoint(folder, b"")
    (checkpoint,) = checkpoints.listed(folder / "run" / checkpoints.FOLDER)
    signed(checkpoint, files)
    return opened


def resumed(run: Path) -> None:
    with Run.open(run) as opened:
        runs.restored(opened)


def in_a_manifest(folder: Path, content: bytes) -> Opened:
    (folder / "run").mkdir()
    (folder / "run" / manifest.FILE).write_bytes(content)
    return lambda: Run.open(folder / "run")


def in_settings(folder: Path, changes: dict[str, Any]) -> Opened:
    """A run of a real method whose manifest has other values, with the right checksum; loaded as a user loads it."""
    config = json.loads(json.dumps(DEFAULTS))
    manifest.write(folder / "run", config | changes)
    (folder / "evil_module.py").write_text(f"open({CANARY!r}, 'w')\nEnv = print\n")
    return lambda: api.load(folder / "run")


def in_a_chunk(folder: Path, content: bytes) -> Opened:
    """A replay whose only chunk is the file, with the right checksum: set aside, and said so."""
    memory = runs.fill(empty(), range(100))
    memory.seal(folder)
    (chunk,) = folder.glob("*.safetensors")
    chunk.write_bytes(content)
    line = json.loads((folder / "chunks.jsonl").read_text())
    line |= {"bytes": len(content), "blake2b": tensors.digest([content])}
    (folder / "chunks.jsonl").write_text(json.dumps(line) + "\n")

    def restore() -> None:
        messages = empty().restore(folder, memory.state())
        if messages:
            raise UserError(" ".join(messages))

    return restore


def manifests() -> dict[str, bytes]:
    good = {"method": "m", "environment": "e", "size": "nano", "seed": 0, "config": {}, "steps": 1, "format": 1}
    changed = {
        "manifest: _target_": {"_target_": "os.system", "_args_": ["touch canary"]},
        "manifest: unknown field": {"plugins": ["evil_module"]},
        "manifest: callable": {"trust_remote_code": True},
        "manifest: newer format": {"format": 2},
        "manifest: format is text": {"format": "1"},
        "manifest: method is a list": {"method": ["os", "system"]},
        "manifest: seed is text": {"seed": "__import__('os')"},
        "manifest: settings are a list": {"config": [1]},
        "manifest: steps is true": {"steps": True},
        "manifest: wrong checksum": {"blake2b": "0" * 32},
        "manifest: checksum is a list": {"blake2b": []},
    }
    found = {name: json.dumps(good | change).encode() for name, change in changed.items()}
    found["manifest: pickle"] = pickle.dumps(Payload())
    found["manifest: nested deep"] = b'{"config":' * 100_000
    found["manifest: a name twice"] = b'{"format": 1, "method": "a", "method": "b"}'
    return found


def settings() -> dict[str, dict[str, Any]]:
    def config(**changes: object) -> dict[str, Any]:
        return {"config": DEFAULTS["config"] | changes}

    return {
        "settings: unknown": config(evil=1),
        "settings: _target_": config(_target_="os.system"),
        "settings: dotted path": config(**{"rssm.deter": 8}),
        "settings: a class": config(__class__="builtins.eval"),
        "settings: code for a number": config(units="__import__('os').system('touch canary')"),
        "settings: an object for a number": config(units={"_target_": "os.system"}),
        "settings: a number for a part": config(rssm=3),
        "settings: out of range": config(horizon=-1),
        "settings: texts for numbers in a list": config(multipliers=["a", "b"]),
        "settings: unknown of the environment": {"environment_config": {"entry_point": "evil_module:Env"}},
        "method: dotted path": {"method": "os.path"},
        "method: path": {"method": "../../evil_module"},
        "method: module and class": {"method": "evil_module:Env"},
        "method: private": {"method": "__init__"},
        "environment: a module of theirs": {"environment": "evil_module:Env"},
        "environment: an id of theirs": {"environment": "evil_module:Env-v0"},
        "environment: a standard module": {"environment": "antigravity:Env"},
        "environment: a function of Python": {"environment": "os:system"},
    }


DEFAULTS: dict[str, Any] = {}


def prepare_defaults(folder: Path) -> None:
    """What a real run's manifest says."""
    config, options = api.size_config("dreamer3", "nano"), api.EnvironmentConfig()
    begun = api.start(
        "dreamer3", "CartPole-v1", size="nano", config=config, options=options,
        steps=10, budget=None, seed=0, run=folder / "defaults", new=False,
    )  # fmt: skip
    DEFAULTS.update(begun.manifest)


def every(folder: Path) -> Iterator[tuple[str, Opened]]:
    """Each file with the function that opens it."""
    numbers = iter(range(10_000))

    def fresh() -> Path:
        place = folder / f"{next(numbers)}"
        place.mkdir(parents=True)
        return place

    prepare_defaults(folder)
    contents = executable() | headers()
    yield from ((f"checkpoint: {name}", in_a_checkpoint(fresh(), content)) for name, content in contents.items())
    yield from ((f"chunk: {name}", in_a_chunk(fresh(), content)) for name, content in contents.items())
    listed: dict[str, object] = {
        "a list": [],
        "elsewhere": {"../../secret": {"bytes": 1, "blake2b": ""}},
        "a text": {"a": "b"},
    }
    yield from ((f"files: {name}", in_a_checkpoint_manifest(fresh(), files)) for name, files in listed.items())
    yield from ((name, in_a_manifest(fresh(), content)) for name, content in manifests().items())
    yield from ((name, in_settings(fresh(), changes)) for name, changes in settings().items())


def outcome(opened: Opened) -> str:
    """The refusal, or what else came of it."""
    try:
        opened()
    except UserError as error:
        return f"refused: {error}"
    except UNEXPLAINED as error:
        return f"{type(error).__name__}: {error}"
    return "loaded"


def main(folder: Path) -> None:
    os.chdir(folder)
    prepared = list(every(folder / "files"))
    noted: list[str] = []
    listening = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event in SEEN:
            noted.append(f"{event} {arguments[0]!r:.80}")

    sys.addaudithook(hook)
    for name, opened in [("warming up", lambda: resumed(folder / "none")), *prepared]:
        modules = set(sys.modules)
        listening = name != "warming up"
        came = outcome(opened)
        listening = False
        answer = {"name": name, "came": came, "noted": list(noted), "modules": sorted(set(sys.modules) - modules)}
        noted.clear()
        sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
