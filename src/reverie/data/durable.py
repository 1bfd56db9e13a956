"""Files that survive a crash: the only module of the library that opens a file for writing.

    write           temporary file, data synced, renamed over the old one, folder synced: old or new, never a mix
    commit_folder   the same for a folder of files: it appears whole or not at all
    append_line     one line in one write; after a crash at most the last line is torn (`whole_lines` ignores it, and
                    the next one begins behind it)
    cut, replace, remove, sync, link, lock    what else a run does to its files
    readable        what keeps a sound file from being read is no fault of the file

Every function is made of the few operations of a `Disk`. `using` puts another one in its place: a recorder, or one that
fails at the k-th operation. What the disk refuses becomes a `UserError` with the exit code of its kind.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from reverie.errors import UserError

TEMPORARY = ".writing-"
"""What the names of unfinished files and folders start with: never read, removed by `sweep`."""

_BY = f"{TEMPORARY}by-"
"""And what follows: the number of the process that is at it."""

Content = bytes | Iterable[bytes | memoryview]
"""A file's bytes, whole or in pieces (so that gigabytes need no second copy)."""


@runtime_checkable
class Disk(Protocol):
    """The operations that change a disk. One call is one point at which a crash can happen."""

    def write(self, path: Path, content: Content) -> None: ...
    def append(self, path: Path, content: bytes) -> None: ...
    def sync(self, path: Path) -> None: ...
    def rename(self, source: Path, target: Path) -> None: ...
    def link(self, source: Path, target: Path) -> None: ...
    def make_folder(self, path: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def cut(self, path: Path, size: int) -> None: ...


class LocalDisk:
    """The operating system's own."""

    def write(self, path: Path, content: Content) -> None:
        """Create or truncate the file, and fill it."""
        with path.open("wb", buffering=0) as file:
            for piece in [content] if isinstance(content, bytes) else content:
                _write_all(file.fileno(), piece)

    def append(self, path: Path, content: bytes) -> None:
        """All of the content or none of it, as far as the disk lets us."""
        with path.open("ab", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            try:
                _write_all(file.fileno(), content)
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise

    def sync(self, path: Path) -> None:
        """Wait until the file's bytes, or the folder's names, are on the disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """The same bytes under a second name; a copy where the file system, or a border between two, has no links."""
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(source)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
                raise
            shutil.copyfile(source, target)

    def make_folder(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    def remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def cut(self, path: Path, size: int) -> None:
        os.truncate(path, size)


_SPACE = (28, "The disk is full: free some space and run again.")
_NAME = (2, "Choose another name for the folder.")
_PERMISSION = (74, "Choose another folder, or change its permissions.")
_LOCKS = (74, "This file system cannot lock files: put the run on another disk.")
_FILES = (74, "Too many files are open: close some, or raise the limit (`ulimit -n`), and run again.")
REFUSALS: dict[int, tuple[int, str]] = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), _SPACE),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _PERMISSION),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _FILES),
    **dict.fromkeys((errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP), _LOCKS),
    **dict.fromkeys((errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP), _NAME),
    errno.EIO: (74, "The disk does not work: check it, or choose another one, and run again."),
}
"""What the operating system may refuse -> the exit code, and what to do."""

_disk: Disk = LocalDisk()


@contextlib.contextmanager
def using(disk: Disk) -> Iterator[None]:
    """Put another disk in place of the local one, to record or to fail what is written."""
    global _disk
    previous, _disk = _disk, disk
    try:
        yield
    finally:
        _disk = previous


def write(path: Path, content: Content) -> None:
    """Replace a file's content; a reader or a crash sees the old or the new."""
    temporary = _unfinished(path)
    with _explained(path), _cleared(temporary):
        _make_folder(path.parent)
        _disk.write(temporary, content)
        _disk.sync(temporary)
        _disk.rename(temporary, path)
        _disk.sync(path.parent)


def commit_folder(path: Path, files: Mapping[str, Content]) -> None:
    """A new folder with these files, on the disk as a whole before it gets its name."""
    if path.exists():
        raise ValueError(f"commit_folder: {path} exists; a committed folder is never changed, choose another name")
    temporary = _unfinished(path)
    with _explained(path), _cleared(temporary):
        _make_folder(path.parent)
        _disk.remove(temporary)
        _disk.make_folder(temporary)
        for name, content in files.items():
            _disk.write(temporary / name, content)
            _disk.sync(temporary / name)
        _disk.sync(temporary)
        _disk.rename(temporary, path)
        _disk.sync(path.parent)


def append_line(path: Path, line: str, *, sync: bool = False) -> None:
    """Add one line; `sync` waits for the disk (a new file's name is always waited for)."""
    if "\n" in line:
        raise ValueError(f"append_line: the line for {path} contains a line break; escape it")
    with _explained(path):
        new = not path.exists()
        _make_folder(path.parent)
        _disk.append(path, (b"\n" if _is_torn(path) else b"") + line.encode() + b"\n")
        if sync or new:
            _disk.sync(path)
        if new:
            _disk.sync(path.parent)


def cut(path: Path, size: int) -> None:
    """Keep a file's first `size` bytes."""
    with _explained(path):
        _disk.cut(path, size)
        _disk.sync(path)


def sync(path: Path) -> None:
    """Wait until the file, with what was appended to it and its name, is on the disk."""
    with _explained(path):
        _disk.sync(path)
        _disk.sync(path.parent)


def replace(source: Path, target: Path) -> None:
    """Rename, replacing the target."""
    with _explained(target):
        _disk.rename(source, target)
        _disk.sync(target.parent)


def link(source: Path, target: Path) -> None:
    """Give a file that is never changed a second name; for the name waits whoever writes the next file there."""
    with _explained(target):
        _make_folder(target.parent)
        _disk.link(source, target)
        _disk.sync(target)


def remove(path: Path) -> None:
    """Delete a file or a folder; nothing happens if there is none."""
    with _explained(path):
        _disk.remove(path)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, and wait for their names."""
    with _explained(path):
        _make_folder(path)


def sweep(folder: Path, *, alone: bool = False) -> list[Path]:
    """Delete what a crash left unfinished directly in a folder; what a living process is writing stays.

    `alone`: nobody else may be writing there, so that nothing stays (the number of a dead process may be another's
    now). A process that was killed may not have waited for the names it made, so that is done here.
    """
    if not folder.is_dir():
        return []
    strays = [stray for stray in sorted(folder.glob(f"{TEMPORARY}*")) if alone or not _is_being_written(stray)]
    for stray in strays:
        remove(stray)
    with _explained(folder):
        _sync_names(folder.parent)
        _sync_names(folder)
    return strays


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Make a `UserError` of what this process lacks (permission, descriptors, memory); what the file lacks stays.

    Otherwise a sound file that cannot be opened just now would be taken for a damaged one.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
        _, remedy = REFUSALS.get(error.errno, (74, "Close other programs and run again."))
        raise UserError(f"Cannot read {path}: {error.strerror}. {remedy}", code=74) from error


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that end in a line break: a torn last one is not there."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def lock(path: Path, holder: str) -> int | None:
    """Take a lock that frees itself when the process ends: what `unlock` takes, or None if somebody else holds it.

    The file then says who holds it.
    """
    with _explained(path):
        for _ in range(5):  # somebody who asks `is_locked` holds it for an instant
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, descriptor):
                    os.ftruncate(descriptor, 0)
                    _write_all(descriptor, holder.encode())
                    _locks.add(descriptor)
                    return descriptor
                os.close(descriptor)  # the folder was renamed while we waited: the lock is another's
            except BlockingIOError:
                os.close(descriptor)
                time.sleep(0.05)
            except OSError:
                os.close(descriptor)
                raise
        return None


def unlock(descriptor: int) -> None:
    """Let a lock go."""
    _locks.discard(descriptor)
    os.close(descriptor)


_locks: set[int] = set()


def _forget_locks() -> None:
    """In a process that an environment has forked: it must not hold a run that its parent has left."""
    for descriptor in list(_locks):
        unlock(descriptor)


os.register_at_fork(after_in_child=_forget_locks)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def holds(path: Path, descriptor: int) -> bool:
    """Whether a lock that was taken is still the one at its path: nobody has renamed or deleted it."""
    return _is_at(path, descriptor)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _unfinished(path: Path) -> Path:
    """What a file or folder is called until it is whole; says who is at it, for a film may be drawn while we train."""
    return path.with_name(f"{_BY}{os.getpid()}-{path.name}")


def _is_being_written(stray: Path) -> bool:
    """Whether the process that an unfinished file is named after is another one, and alive."""
    pid = stray.name.removeprefix(_BY).partition("-")[0]
    if not stray.name.startswith(_BY) or not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True


@contextlib.contextmanager
def _cleared(temporary: Path) -> Iterator[None]:
    """What the disk refused to hold as a whole does not fill it in part."""
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):  # which is not what has to be said
            _disk.remove(temporary)
        raise


def _is_torn(path: Path) -> bool:
    """Whether a file ends within a line."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _make_folder(path: Path) -> None:
    """Make what is missing of a path; a folder gets names when its own is on the disk."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    if missing:
        _sync_names(missing[-1].parent.parent)
    for folder in reversed(missing):
        _disk.make_folder(folder)
        _disk.sync(folder.parent)


def _sync_names(folder: Path) -> None:
    """Wait for the names that a killed process may have made, and not waited for, where it could make any."""
    if os.access(folder, os.R_OK | os.W_OK):
        _disk.sync(folder)


def _write_all(descriptor: int, content: bytes | memoryview) -> None:
    remaining = memoryview(content).cast("B")
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a sentence and an exit code."""
    try:
        yield
    except OSError as error:
        code, remedy = REFUSALS.get(error.errno or 0, (74, "Check the disk and run again."))
        raise UserError(f"Cannot write {path}: {error.strerror or error}. {remedy}", code=code) from error
