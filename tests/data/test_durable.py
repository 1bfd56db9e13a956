"""The order of operations is the promise: data on the disk before it gets its name, the name before we go on."""

import errno
import os
from pathlib import Path

import pytest

from reverie.data import durable
from reverie.errors import UserError


class Recorder:
    """A disk that notes every operation, and refuses the k-th."""

    def __init__(self, folder: Path, fail_at: int = -1, error: int = errno.ENOSPC) -> None:
        self._disk, self._folder = durable.LocalDisk(), folder
        self._fail_at, self._error = fail_at, error
        self.operations: list[str] = []

    def _note(self, operation: str, *paths: Path) -> None:
        if len(self.operations) == self._fail_at:
            raise OSError(self._error, os.strerror(self._error))
        names = [path.relative_to(self._folder).as_posix() for path in paths]
        self.operations.append(" ".join([operation, *names]))

    def write(self, path: Path, content: durable.Content) -> None:
        self._note("write", path)
        self._disk.write(path, content)

    def append(self, path: Path, content: bytes) -> None:
        self._note("append", path)
        self._disk.append(path, content)

    def sync(self, path: Path) -> None:
        self._note("sync", path)
        self._disk.sync(path)

    def rename(self, source: Path, target: Path) -> None:
        self._note("rename", source, target)
        self._disk.rename(source, target)

    def link(self, source: Path, target: Path) -> None:
        self._note("link", source, target)
        self._disk.link(source, target)

    def make_folder(self, path: Path) -> None:
        self._note("make_folder", path)
        self._disk.make_folder(path)

    def remove(self, path: Path) -> None:
        self._note("remove", path)
        self._disk.remove(path)

    def cut(self, path: Path, size: int) -> None:
        self._note("cut", path)
        self._disk.cut(path, size)


def test_a_file_is_synced_before_it_gets_its_name(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with durable.using(recorder):
        durable.write(tmp_path / "a", b"new")
    temporary = f"{durable.TEMPORARY}by-{os.getpid()}-a"
    assert recorder.operations == [f"write {temporary}", f"sync {temporary}", f"rename {temporary} a", "sync ."]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with durable.using(recorder):
        durable.commit_folder(tmp_path / "f", {"a": b"1", "b": [b"2", memoryview(b"3")]})
    stem = f"{durable.TEMPORARY}by-{os.getpid()}-f"
    assert recorder.operations[1:] == [
        f"make_folder {stem}",
        *(f"{operation} {stem}/{name}" for name in "ab" for operation in ("write", "sync")),
        f"sync {stem}",
        f"rename {stem} f",
        "sync .",
    ]
    assert {path.name: path.read_bytes() for path in (tmp_path / "f").iterdir()} == {"a": b"1", "b": b"23"}


def test_a_committed_folder_is_never_changed(tmp_path: Path) -> None:
    durable.commit_folder(tmp_path / "f", {"a": b"1"})
    with pytest.raises(ValueError, match="choose another name"):
        durable.commit_folder(tmp_path / "f", {"a": b"2"})


@pytest.mark.parametrize("fail_at", range(4))
def test_a_write_that_fails_leaves_the_old_or_the_new(tmp_path: Path, fail_at: int) -> None:
    durable.write(tmp_path / "a", b"old")
    with durable.using(Recorder(tmp_path, fail_at)), pytest.raises(UserError, match="disk is full") as refusal:
        durable.write(tmp_path / "a", b"new")
    assert refusal.value.code == 28
    assert (tmp_path / "a").read_bytes() == (b"new" if fail_at == 3 else b"old")
    durable.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class Small(durable.LocalDisk):
    """Takes three bytes of a file."""

    def write(self, path: Path, content: durable.Content) -> None:
        super().write(path, b"".join(content if not isinstance(content, bytes) else [content])[:3])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_was_written_in_part_does_not_fill_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with durable.using(Small()):
        with pytest.raises(UserError, match="disk is full"):
            durable.write(tmp_path / "a", b"newer")
        with pytest.raises(UserError, match="disk is full"):
            durable.commit_folder(tmp_path / "folder", {"a": b"newer"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("error", "code"), [(errno.ENOSPC, 28), (errno.EACCES, 74), (errno.EROFS, 74), (errno.EIO, 74), (errno.EMFILE, 74)]
)
def test_what_the_disk_refuses_has_an_exit_code(tmp_path: Path, error: int, code: int) -> None:
    with durable.using(Recorder(tmp_path, 0, error)), pytest.raises(UserError, match=r"a\.txt") as refusal:
        durable.append_line(tmp_path / "a.txt", "line")
    assert refusal.value.code == code


def test_lines_are_appended_and_a_torn_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    durable.append_line(path, "one")
    durable.append_line(path, "two")
    with path.open("ab") as file:
        file.write(b"torn")
    assert list(durable.whole_lines(path)) == [b"one", b"two"]
    with pytest.raises(ValueError, match="line break"):
        durable.append_line(path, "a\nb")


def test_only_a_new_file_waits_for_the_disk(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    with durable.using(recorder):
        durable.append_line(tmp_path / "log", "one")
        durable.append_line(tmp_path / "log", "two")
        durable.append_line(tmp_path / "log", "three", sync=True)
    assert recorder.operations == ["append log", "sync log", "sync .", "append log", "append log", "sync log"]


def test_a_line_that_does_not_fit_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    durable.append_line(path, "one")
    write = os.write

    def fill_up(descriptor: int, content: memoryview) -> int:
        if len(content) < 4:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, content[:4])

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(UserError, match="full"):
        durable.append_line(path, "a line of more")
    assert path.read_bytes() == b"one\n"


def test_folders_on_the_way_are_made_and_synced(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (tmp_path / "x").mkdir()
    with durable.using(recorder):
        durable.write(tmp_path / "x" / "y" / "z" / "a", b"1")
    assert recorder.operations[:5] == ["sync .", "make_folder x/y", "sync x", "make_folder x/y/z", "sync x/y"]


def test_a_line_begins_behind_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntorn")
    durable.append_line(path, "two")
    assert list(durable.whole_lines(path)) == [b"one", b"torn", b"two"]


def test_sweeping_waits_for_the_names_that_a_killed_process_made(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    (tmp_path / "x").mkdir()
    with durable.using(recorder):
        durable.sweep(tmp_path / "x")
        durable.sweep(tmp_path / "none")
    assert recorder.operations == ["sync .", "sync x"]


def test_cut_replace_remove(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"123456")
    durable.cut(tmp_path / "a", 2)
    durable.replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"12"
    durable.remove(tmp_path / "b")
    durable.remove(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [errno.EACCES, errno.EMFILE, errno.ENOMEM])
def test_what_the_process_lacks_is_no_fault_of_the_file(error: int) -> None:
    with pytest.raises(UserError, match="Cannot read a") as refusal, durable.readable(Path("a")):
        raise OSError(error, os.strerror(error))
    assert refusal.value.code == 74


@pytest.mark.parametrize("error", [errno.ENOENT, errno.EIO])
def test_what_the_file_lacks_stays_an_error_of_the_file(error: int) -> None:
    with pytest.raises(OSError, match=os.strerror(error)), durable.readable(Path("a")):
        raise OSError(error, os.strerror(error))


def test_a_lock_that_cannot_be_written_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(UserError, match="full"):
        durable.lock(tmp_path / "lock", "first")
    monkeypatch.undo()
    assert not durable.is_locked(tmp_path / "lock")


def test_one_holder_per_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = durable.lock(path, "first")
    assert descriptor is not None
    assert durable.is_locked(path)
    assert durable.lock(path, "second") is None
    assert path.read_text() == "first"
    os.close(descriptor)
    assert not durable.is_locked(path)


def test_a_link_is_the_file_itself_and_outlives_its_first_name(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"rows")
    for _ in range(2):  # as often as one likes
        durable.link(tmp_path / "a", tmp_path / "deep" / "b")
    assert (tmp_path / "deep" / "b").samefile(tmp_path / "a")
    durable.remove(tmp_path / "a")
    assert (tmp_path / "deep" / "b").read_bytes() == b"rows"


@pytest.mark.parametrize("error", [errno.EXDEV, errno.EPERM])
def test_where_there_are_no_links_it_is_a_copy(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    durable.write(tmp_path / "a", b"rows")
    monkeypatch.setattr(os, "link", refused)
    durable.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"rows"
    assert not (tmp_path / "b").samefile(tmp_path / "a")


def test_a_full_disk_explains_a_link_too(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"rows")
    with durable.using(Recorder(tmp_path, fail_at=0)), pytest.raises(UserError, match="disk is full"):
        durable.link(tmp_path / "a", tmp_path / "b")
