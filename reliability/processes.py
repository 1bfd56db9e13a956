"""Processes for tests: scripts of their own, all that descends from them, and what becomes of it."""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
MARK = "RELIABILITY_MARK"


class Script(NamedTuple):
    """A running script that has said its first line."""

    process: subprocess.Popen[str]
    mark: str
    said: str

    def family(self) -> set[int]:
        """It, and whatever lives of what it started, and what that started: all inherit its mark."""
        return {pid for pid in _processes() if self.mark.encode() in _environment_of(pid) and _lives(pid)}

    def says(self, line: str) -> None:
        """Waits for a further line."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == line, errors(self)

    def last(self, seconds: float) -> float:
        """Waits until nobody of the family is left, so long at most; the seconds it took."""
        began = time.monotonic()
        while self.family() and time.monotonic() - began < seconds:
            time.sleep(0.01)
        return time.monotonic() - began


@contextlib.contextmanager
def running(text: str, *arguments: str | Path, folder: Path) -> Iterator[Script]:
    """Starts a script and waits for its first line; kills what is left of the family in the end."""
    path = folder / f"script_{uuid.uuid4().hex}.py"
    path.write_text(text)
    mark = uuid.uuid4().hex
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {MARK: mark, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu"}
    with path.with_suffix(".txt").open("w") as complaints:
        process = subprocess.Popen(
            [sys.executable, path, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
    assert process.stdout is not None
    with process.stdout:
        script = Script(process, mark, process.stdout.readline().strip())
        try:
            yield script
        finally:
            for pid in script.family():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            process.wait()


def errors(script: Script) -> str:
    """What the script said on its standard error."""
    return Path(str(script.process.args[1])).with_suffix(".txt").read_text()


def _processes() -> Iterator[int]:
    return (int(name) for name in (path.name for path in Path("/proc").iterdir()) if name.isdecimal())


def _environment_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return b""


def _lives(pid: int) -> bool:
    """Whether it is neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
