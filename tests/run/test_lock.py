"""One writer, named; the lock is gone with its process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from reverie.errors import UserError
from reverie.run.lock import Lock, is_held, refuse_if_held

HOLD = """
import sys, time
from pathlib import Path
from reverie.run.lock import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_one_that_is_held_is_refused_before_it_is_asked_for(tmp_path: Path) -> None:
    refuse_if_held(tmp_path)
    held = Lock(tmp_path)
    with pytest.raises(UserError, match=f"in use by pid {os.getpid()} on .*--run") as refusal:
        refuse_if_held(tmp_path)
    assert refusal.value.code == 75
    held.close()
    refuse_if_held(tmp_path)


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    first = Lock(tmp_path)
    assert is_held(tmp_path)
    with pytest.raises(UserError, match=f"in use by pid {os.getpid()} on .*--run") as refusal:
        Lock(tmp_path)
    assert refusal.value.code == 75
    first.close()
    first.close()
    assert not is_held(tmp_path)
    Lock(tmp_path).close()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"pid {process.pid}"):
            Lock(tmp_path)
        process.send_signal(signal.SIGKILL)
        process.wait()
    Lock(tmp_path).close()


def test_a_folder_that_is_renamed_while_we_wait_for_it(tmp_path: Path) -> None:
    """The lock that becomes free belongs to the old folder by then."""
    folder = tmp_path / "run"
    folder.mkdir()
    first, found = Lock(folder), []
    waiting = threading.Thread(target=lambda: found.append(Lock(folder)))
    waiting.start()
    time.sleep(0.08)
    folder.rename(tmp_path / "run-old")
    folder.mkdir()
    first.close()
    waiting.join()
    with pytest.raises(UserError, match="in use"):
        Lock(folder)
    found[0].close()


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_lock_that_is_no_longer_there_is_noticed(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lock = Lock(folder)
    lock.check()
    (folder.rename(tmp_path / "elsewhere") if how == "moved" else (folder / "lock").unlink())
    with pytest.raises(UserError, match="was moved, or 'lock' in it was deleted") as caught:
        lock.check()
    assert caught.value.code == 74
    lock.close()
    lock.check()
