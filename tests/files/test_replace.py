"""Files are replaced as a whole, as a user who writes in place would expect."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import fastdl
from fastdl import nn
from fastdl.files import check_writable, keep_aside, replaced, write_text
from fastdl.train import RunFolder
from fastdl.train.history import History


def save_model(path):
    fastdl.save(nn.Linear(2, 2), path)


def write_log(path):
    history = History()
    history.rows.append({"epoch": 1.0, "loss": 0.5})
    history.write_csv(path)


def write_picture(path):
    pytest.importorskip("matplotlib")
    from fastdl.report.style import new_figure, save_figure

    with new_figure(1, 1, "x") as figure:
        save_figure(figure, path)


def write_config(path):
    folder = RunFolder(path.parent)
    folder.config = path
    folder.write_config({"a": 1})


WRITERS = [save_model, write_log, write_picture, write_config]
every_writer = pytest.mark.parametrize("write", WRITERS, ids=lambda w: w.__name__)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@every_writer
def test_a_link_stays_and_its_target_is_replaced(write, tmp_path):
    target = tmp_path / "elsewhere" / "file"
    target.parent.mkdir()
    target.write_text("old")
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "link2").symlink_to("link")
    write(tmp_path / "link2")
    assert (tmp_path / "link2").is_symlink()
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() != b"old"
    assert os.listdir(target.parent) == ["file"]


def test_a_link_to_nothing_makes_the_file(tmp_path):
    (tmp_path / "link").symlink_to("new/file")
    write_text(tmp_path / "link", "content")
    assert (tmp_path / "new" / "file").read_text() == "content"
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="circle"):
        write_text(tmp_path / "circle", "content")


@every_writer
def test_what_is_no_regular_file_is_refused(write, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    server = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # the name of a socket may not be long
    server.bind("socket")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    with server:
        for name in ("pipe", "socket", "folder", "null"):
            with pytest.raises(OSError, match=f"{name}"):
                write(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert len(os.listdir(tmp_path)) == 4


@every_writer
def test_permissions(write, tmp_path):
    """A new file gets those of the umask, an old one keeps its own."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o666)
        write(tmp_path / "old")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new") == 0o640
    assert mode_of(tmp_path / "old") == 0o666
    (tmp_path / "old").chmod(0o600)
    write(tmp_path / "old")
    assert mode_of(tmp_path / "old") == 0o600


def test_a_protected_file_is_not_replaced(tmp_path, monkeypatch):
    write_text(tmp_path / "file", "old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may do anything
    with pytest.raises(PermissionError, match="file"):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"


def test_the_longest_name(tmp_path):
    write_text(tmp_path / ("n" * 255), "content")
    assert os.listdir(tmp_path) == ["n" * 255]


def run(code, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


HALFWAY = """
import sys
from fastdl.files import replaced
with replaced(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    with run(HALFWAY, tmp_path / "a") as alive, run(HALFWAY, tmp_path / "b") as killed:
        assert alive.stdout.readline() == killed.stdout.readline() == "ready\n"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert len(os.listdir(tmp_path)) == 2
        (tmp_path / ".fastdl.tmp").touch()  # a name of somebody else
        write_text(tmp_path / "c", "new")
        assert len(os.listdir(tmp_path)) == 3, "only that of the dead writer is removed"
        alive.communicate("\n")
    assert alive.returncode == 0
    assert (tmp_path / "a").read_bytes() == b"half"
    assert sorted(os.listdir(tmp_path)) == [".fastdl.tmp", "a", "c"]


def test_many_threads_write_to_one_folder(tmp_path):
    errors = []

    def work(name):
        try:
            for _ in range(20):
                write_text(tmp_path / name, name * 1000)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "aabbcc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]
    for name in "abc":
        assert (tmp_path / name).read_text() == name * 1000


FULL = """
import resource, sys
import numpy as np
import fastdl
from fastdl.train.history import History
path = sys.argv[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # as a disk of one page
history = History()
history.rows = [{"loss": 0.1} for _ in range(10_000)]


for write in (lambda: fastdl.save(fastdl.nn.Linear(100, 100), path),
              lambda: history.write_csv(path)):
    try:
        write()
    except OSError as error:
        print(error.filename == path, type(error).__name__)
"""


def test_a_full_disk_is_an_oserror_with_the_path(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_text("old")
    with run(FULL, path) as process:
        out, _ = process.communicate()
    first, second, *_ = out.splitlines()  # coverage.py has no space left either
    assert first == second == "True OSError"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_every_step_names_the_path_that_the_user_knows(step, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(errno.EIO, "broken", "one", None, "another")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="broken") as caught:
        write_text(tmp_path / "file", "text")
    assert str(caught.value) == f"[Errno 5] broken: '{tmp_path / 'file'}'"
    assert not os.listdir(tmp_path)


def test_what_cannot_be_written_is_found_early(tmp_path, monkeypatch):
    check_writable(tmp_path / "new" / "file")
    write_text(tmp_path / "old", "old")
    check_writable(tmp_path / "old")
    assert (tmp_path / "old").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]
    assert not os.listdir(tmp_path / "new")
    for name in ("new", "old/file"):
        with pytest.raises(OSError, match=name):
            check_writable(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_protected_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="file"):
        check_writable(tmp_path / "file")
    tmp_path.chmod(0o700)


def test_errors_of_the_block_are_its_own(tmp_path):
    with (
        pytest.raises(ConnectionResetError) as caught,
        replaced(tmp_path / "file"),
    ):
        raise ConnectionResetError(errno.ECONNRESET, "reset")
    assert caught.value.filename is None
    assert not os.listdir(tmp_path)


def test_folders_are_made_and_read_back(tmp_path):
    with replaced(tmp_path / "a" / "b" / "c") as file:
        file.write(np.arange(3, dtype=np.uint8).data)
        file.seek(1)
        assert file.read() == b"\1\2"
    assert Path(tmp_path, "a/b/c").read_bytes() == b"\0\1\2"
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/c"):
        write_text(tmp_path / "file" / "c", "text")


def test_damaged_files_are_kept_aside_under_names_of_their_own(tmp_path):
    path = tmp_path / "tags.json"
    for number, text in enumerate(("first", "second"), 1):
        path.write_text(text)
        kept = keep_aside(path)
        assert kept == f"{path}.damaged-{number}"
        assert not path.exists()
    assert {file.read_text() for file in tmp_path.iterdir()} == {"first", "second"}
