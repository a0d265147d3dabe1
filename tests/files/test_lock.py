"""One process at a time."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from fastdl.errors import DataError
from fastdl.files import locked

HOLD = """
import sys, time
from fastdl.files import locked
with locked(sys.argv[1], "is busy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "lock"], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_second_process_is_refused_with_the_number_of_the_first(other, tmp_path):
    message = rf"process \({other.pid}\) is busy; wait"
    with (
        pytest.raises(DataError, match=message),
        locked(tmp_path / "lock", "is busy"),
    ):
        pytest.fail("both hold it")


def test_waits_for_the_end_of_the_other(other, tmp_path):
    threading.Timer(0.2, other.kill).start()
    with locked(tmp_path / "lock", "is busy", wait=30):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_waits_no_longer_than_it_was_told(other, tmp_path):
    with (
        pytest.raises(DataError, match="is busy; wait for its end"),
        locked(tmp_path / "lock", "is busy", wait=0.05),
    ):
        pytest.fail("both hold it")


def test_killed_process_leaves_no_lock(other, tmp_path):
    other.send_signal(signal.SIGKILL)
    other.wait()
    with locked(tmp_path / "lock", "is busy"):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
    assert not (tmp_path / "lock").exists()


def test_free_after_an_error_and_in_a_new_folder(tmp_path):
    path = tmp_path / "new" / "lock"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(path, "is busy"):
            _ = 1 / 0
    assert not list(path.parent.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such pipes")
def test_a_pipe_is_no_lock(tmp_path):
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match=r"no regular file: .*lock'"):
        locked(tmp_path / "lock", "is busy").__enter__()


def test_folder_removed_meanwhile(tmp_path):
    path = tmp_path / "new" / "lock"
    with locked(path, "is busy"):
        path.unlink()
        path.parent.rmdir()
    assert not path.parent.exists()
