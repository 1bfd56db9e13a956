"""The first signal asks, the second ends; nobody home, ended too."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reverie.run import signals
from reverie.run.signals import Signals


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_the_second_ends(number: int) -> None:
    ended: list[int] = []
    handling = Signals(end=ended.append)
    before = signal.getsignal(number)
    handling.install()
    try:
        assert handling.received == 0
        os.kill(os.getpid(), number)
        assert wait_for(lambda: handling.received == number)
        assert ended == []
        os.kill(os.getpid(), number)
        assert wait_for(lambda: ended == [128 + number])
    finally:
        handling.close()
    assert signal.getsignal(number) is before


def test_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.05)
    ended: list[int] = []
    handling = Signals(end=ended.append)
    handling.install()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert wait_for(lambda: ended == [143])
    finally:
        handling.close()


def test_whoever_looks_has_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "PATIENCE", 0.3)
    ended: list[int] = []
    handling = Signals(end=ended.append)
    handling.install()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        assert wait_for(lambda: handling.received == signal.SIGTERM, 0.25)
        time.sleep(0.4)
        assert ended == []
    finally:
        handling.close()


def test_another_thread_installs_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    handling = Signals()
    thread = threading.Thread(target=handling.install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    handling.close()


def test_threads_and_descriptors_are_given_back() -> None:
    count = threading.active_count()
    descriptors = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        handling = Signals()
        handling.install()
        handling.close()
    assert threading.active_count() == count
    assert len(list(Path("/dev/fd").iterdir())) == descriptors


STUCK = """
import hashlib
from reverie.run.signals import Signals
signals = Signals()
signals.install()
print("ready", flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in one call, like a compilation
"""


def test_a_second_signal_ends_a_process_that_is_stuck() -> None:
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 143
    assert "second signal" in errors


FORKED = """
import multiprocessing, os, sys, time
from pathlib import Path
from reverie.run.lock import Lock
from reverie.run.signals import Signals
lock, handling = Lock(Path(sys.argv[1])), Signals()
handling.install()
child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
child.start()
time.sleep(0.5)
again = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True)
again.start()
child.terminate()
child.join(20)
print(child.exitcode, handling.received)
handling.close()
os.close(lock._descriptor)
Lock(Path(sys.argv[1]))
print("free")
again.kill()
"""


def test_a_process_that_an_environment_forks_has_its_own_signals_and_holds_no_run(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "-15 0\nfree\n", done.stderr


TWICE = """
import os, signal, time
from reverie.run.signals import Signals
Signals().install()
for _ in range(2):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.3)
time.sleep(60)
"""


def test_the_second_signal_ends_though_nobody_reads_the_message() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", TWICE], stderr=writer, timeout=30)
    os.close(writer)
    assert done.returncode == 143


def test_a_signal_is_heard_though_somebody_took_the_socket() -> None:
    """As asyncio does, in an environment."""
    ended: list[int] = []
    theirs, other = socket.socketpair()
    other.setblocking(False)
    handling = Signals(end=ended.append)
    handling.install()
    try:
        signal.set_wakeup_fd(other.fileno())
        os.kill(os.getpid(), signal.SIGTERM)
        assert wait_for(lambda: handling.received == signal.SIGTERM)
        assert theirs.recv(1) == bytes([signal.SIGTERM]), "theirs is still theirs"
        assert ended == []
        os.kill(os.getpid(), signal.SIGTERM)
        assert wait_for(lambda: ended == [143])
    finally:
        handling.close()
        theirs.close()
        other.close()


UNREAD = """
import os, sys
from reverie.run.signals import Signals
signals = Signals()
signals.install()
print("ready", file=sys.stderr, flush=True)
while True:
    sys.stderr.write("x" * 100_000)  # blocks for ever: nobody reads
"""


def test_a_second_signal_ends_a_process_that_nobody_listens_to() -> None:
    with subprocess.Popen([sys.executable, "-c", UNREAD], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "ready\n"
            time.sleep(0.5)  # for the pipe to be full
            for _ in range(2):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.3)
            assert process.wait(timeout=20) == 143
        finally:
            process.kill()


def test_the_first_signal_after_we_asked_ourselves_is_the_first() -> None:
    ended: list[int] = []
    handling = Signals(end=ended.append)
    handling.install()
    try:
        handling.note(signal.SIGPIPE)
        assert handling.received == signal.SIGPIPE
        os.kill(os.getpid(), signal.SIGINT)
        assert wait_for(lambda: handling.received == signal.SIGINT)
        assert ended == []
    finally:
        handling.close()
