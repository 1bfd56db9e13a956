"""Disks that remember what was done to them, refuse, or stop; and what a crash may leave of what they were told.

    Recorder      a disk that notes every operation, and can refuse the k-th with an errno or stop there like a kill
    crashes       every prefix of its log x what may become of bytes and names that nobody waited for

A disk promises only what was synced. Bytes of a file: those at its last sync; later ones are kept, dropped, torn at a
sector of 512 bytes, or zeros. Names in a folder: those at the folder's last sync; later makings, renamings and removals
are kept or lost. Removing a folder is one operation for each name in it.
"""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from reverie.data import durable

SECTOR = 512
BYTES = ("kept", "dropped", "torn", "zeroed")
NAMES = ("kept", "lost")

Image = dict[str, bytes | None]
"""What lies on a disk: content by path; None is a folder."""


class Stopped(BaseException):
    """The process ends here, as under kill -9: nothing may catch it."""


class Operation(NamedTuple):
    """One change of the disk; paths are relative to the recorder's root."""

    kind: str
    path: str
    target: str = ""
    content: bytes = b""
    size: int = 0


class Recorder:
    """The local disk, without its waiting.

    Args:
        root: below which everything happens; made if it is not there.
        refuse_at: the operation that raises `OSError(error)`; of a write, half is done.
        error: its errno.
        lasting: whether all later ones are refused too.
        stop_at: the operation before which the process is stopped.
    """

    def __init__(
        self,
        root: Path,
        *,
        refuse_at: int | None = None,
        error: int = 0,
        lasting: bool = False,
        stop_at: int | None = None,
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self.log, self.marks = root, list[Operation](), list[int]()
        self.refuse_at, self.error, self.lasting, self.stop_at = refuse_at, error, lasting, stop_at
        self._asked = 0
        self._disk = durable.LocalDisk()

    def mark(self) -> None:
        """Note that whatever is promised so far is promised from here on."""
        self.marks.append(len(self.log))

    def promised(self, length: int) -> int:
        """How many marks lie within the log's first `length` operations."""
        return sum(mark <= length for mark in self.marks)

    def write(self, path: Path, content: durable.Content) -> None:
        whole = content if isinstance(content, bytes) else b"".join(content)
        if self._refused():
            self._disk.write(path, whole[: len(whole) // 2])
            self._refuse(path)
        self._disk.write(path, whole)
        self._note("write", path, content=whole)

    def append(self, path: Path, content: bytes) -> None:
        self._ask(path)
        self._disk.append(path, content)
        self._note("append", path, content=content)

    def sync(self, path: Path) -> None:
        if not path.is_relative_to(self.root):
            return
        self._ask(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} is synced but not there")
        self._note("sync", path)

    def rename(self, source: Path, target: Path) -> None:
        self._ask(target)
        self._disk.rename(source, target)
        self._note("rename", source, target=self._relative(target))

    def link(self, source: Path, target: Path) -> None:
        self._ask(target)
        self._disk.link(source, target)
        self._note("write", target, content=source.read_bytes())

    def make_folder(self, path: Path) -> None:
        self._ask(path)
        self._disk.make_folder(path)
        self._note("make_folder", path)

    def remove(self, path: Path) -> None:
        for inner in sorted(path.iterdir()) if path.is_dir() else ():
            self.remove(inner)
        self._ask(path)
        if path.exists():
            self._disk.remove(path)
            self._note("remove", path)

    def cut(self, path: Path, size: int) -> None:
        self._ask(path)
        self._disk.cut(path, size)
        self._note("cut", path, size=size)

    def _ask(self, path: Path) -> None:
        if self._refused():
            self._refuse(path)

    def _refused(self) -> bool:
        number, self._asked = self._asked, self._asked + 1
        if number == self.stop_at:
            raise Stopped
        return self.refuse_at is not None and (number == self.refuse_at or (self.lasting and number > self.refuse_at))

    def _refuse(self, path: Path) -> None:
        raise OSError(self.error, os.strerror(self.error), str(path))

    def _note(self, kind: str, path: Path, *, target: str = "", content: bytes = b"", size: int = 0) -> None:
        self.log.append(Operation(kind, self._relative(path), target, content, size))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def crashes(recorder: Recorder, folder: Path, begin: int = 0) -> Iterator[tuple[int, Path]]:
    """Every different disk that a crash may leave, as a folder, and how many of the recorder's marks it must honour.

    `begin`: how many operations no crash precedes.
    """
    seen = set()
    number = 0
    for length in range(begin, len(recorder.log) + 1):
        promised = recorder.promised(length)
        for content, names in itertools.product(BYTES, NAMES):
            found = image(recorder.log[:length], content, names)
            key = (promised, tuple(sorted(found.items(), key=lambda item: item[0])))
            if key not in seen:
                seen.add(key)
                number += 1
                yield promised, materialise(found, folder / f"{number:05d}-{length}-{content}-{names}")


def image(log: list[Operation], content: str, names: str) -> Image:
    """What is left of a disk that was empty before `log`."""
    root = _Folder()
    for operation in log:
        _replay(root, operation)
    return dict(_walk(root, "", content, names))


def materialise(found: Image, folder: Path) -> Path:
    """The image as a folder."""
    folder.mkdir(parents=True)
    for path, content in found.items():
        (folder / path).mkdir() if content is None else (folder / path).write_bytes(content)
    return folder


@dataclass
class _File:
    synced: bytes = b""
    current: bytes = b""

    def after(self, mode: str) -> bytes:
        """Its bytes after a crash."""
        if mode == "dropped":
            return self.synced
        if mode == "kept" or self.synced.startswith(self.current):
            return self.current
        same = len(self.synced) if self.current.startswith(self.synced) else 0
        if mode == "zeroed":
            return self.current[:same] + bytes(len(self.current) - same)
        sector = (len(self.current) - 1) // SECTOR * SECTOR
        return self.current[: sector if sector > same else (same + len(self.current)) // 2]


@dataclass
class _Folder:
    synced: "dict[str, _File | _Folder]" = field(default_factory=dict)
    current: "dict[str, _File | _Folder]" = field(default_factory=dict)

    def names(self, mode: str) -> "dict[str, _File | _Folder]":
        return self.current if mode == "kept" else self.synced


def _replay(root: _Folder, operation: Operation) -> None:
    folder, name = _place(root, operation.path)
    node = folder.current.get(name, root if operation.path == "." else None)
    match operation.kind, node:
        case "write", None:
            folder.current[name] = _File(current=operation.content)
        case "write", _File():
            node.current = operation.content
        case "append", None:
            folder.current[name] = _File(current=operation.content)
        case "append", _File():
            node.current += operation.content
        case "cut", _File():
            node.current = node.current[: operation.size]
        case "sync", _File():
            node.synced = node.current
        case "sync", _Folder():
            node.synced = dict(node.current)
        case "rename", _File() | _Folder():
            target, new = _place(root, operation.target)
            target.current[new] = folder.current.pop(name)
        case "remove", _File() | _Folder():
            del folder.current[name]
        case "make_folder", None:
            folder.current[name] = _Folder()
        case "make_folder", _Folder():
            pass
        case _:
            raise ValueError(f"{operation.kind} of {operation.path}, which is {node}")


def _place(root: _Folder, path: str) -> tuple[_Folder, str]:
    """The folder that a path lies in, and the name in it."""
    *parents, name = path.split("/")
    folder = root
    for parent in parents:
        inner = folder.current[parent]
        assert isinstance(inner, _Folder)
        folder = inner
    return folder, name


def _walk(folder: _Folder, path: str, content: str, names: str) -> Iterator[tuple[str, bytes | None]]:
    for name, node in folder.names(names).items():
        if isinstance(node, _File):
            yield path + name, node.after(content)
        else:
            yield path + name, None
            yield from _walk(node, f"{path}{name}/", content, names)
