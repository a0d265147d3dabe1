"""Downloads from a local server: whole and right, or an error and no file."""

import gzip
import hashlib
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fastdl.datasets import files
from fastdl.datasets.files import DataFolder, download
from fastdl.errors import DataError

CONTENT = os.urandom(50_000)
GZ = gzip.compress(CONTENT)  # noise: larger than its content
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ZEROS = bytes(1_000_000)
BODIES = {
    "html.gz": b"<html>",
    "cut-gzip.gz": GZ[:-100],
    "bomb.gz": gzip.compress(ZEROS),
}


class Handler(BaseHTTPRequestHandler):
    """The path says how the server behaves."""

    def do_GET(self):
        case = self.path.strip("/")
        if case == "missing.gz":
            self.send_error(404)
            return
        body = BODIES.get(case, GZ)
        self.send_response(200)
        if case == "cut.gz":
            self.send_header("Content-Length", str(len(body) + 1000))
        elif case != "no-length.gz":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("file", ["good.gz", "no-length.gz"])
def test_good_file(file, url, tmp_path):
    path = tmp_path / "new" / "folder" / "file.gz"
    download(url + file, path, SHA256)
    assert path.read_bytes() == GZ
    assert os.listdir(path.parent) == ["file.gz"]
    # Others may read it, as any file that this user makes.
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("file", "content", "limit"),
    [("good.gz", CONTENT, len(GZ)), ("bomb.gz", ZEROS, len(ZEROS))],
    ids=["as received", "inflated"],
)
def test_a_file_as_large_as_the_limit(file, content, limit, url, tmp_path):
    sha256 = hashlib.sha256(content).hexdigest()
    download(url + file, tmp_path / file, sha256, limit)
    assert gzip.decompress((tmp_path / file).read_bytes()) == content
    with pytest.raises(DataError, match=f"more than {limit - 1}|than {limit - 1} "):
        download(url + file, tmp_path / "again.gz", sha256, limit - 1)


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        ("good.gz", {"sha256": SHA256[::-1]}, "wrong SHA-256"),
        ("cut.gz", {}, f"cut off after {len(GZ)} of {len(GZ) + 1000} bytes"),
        ("cut-gzip.gz", {}, "end-of-stream"),
        ("html.gz", {}, "Not a gzipped file"),
        ("missing.gz", {}, "404"),
        ("good.gz", {"limit": len(GZ) - 1}, "larger than"),
        ("no-length.gz", {"limit": len(GZ) - 1}, "larger than"),
        ("bomb.gz", {"limit": 100_000}, "inflates to more"),
    ],
)
def test_bad_file_leaves_nothing_behind(file, options, message, url, tmp_path):
    arguments = {"sha256": SHA256, **options}
    with pytest.raises(DataError, match=message) as caught:
        download(url + file, tmp_path / "file.gz", **arguments)
    assert os.listdir(tmp_path) == []
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("file.gz: download from http://127.0.0.1")
    assert str(tmp_path) in text


def test_no_network(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed_port = free.getsockname()[1]
    with pytest.raises(DataError, match=r"failed: .*refused"):
        download(f"http://127.0.0.1:{closed_port}/x.gz", tmp_path / "x.gz", SHA256)
    assert os.listdir(tmp_path) == []


def test_server_that_falls_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_TIMEOUT", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/x.gz"
        with pytest.raises(DataError, match="timed out"):
            download(address, tmp_path / "x.gz", SHA256)
    assert os.listdir(tmp_path) == []


def test_failure_keeps_the_old_file(url, tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(b"old")
    with pytest.raises(DataError):
        download(url + "cut.gz", path, SHA256)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.gz"]


def test_folder_that_cannot_be_made(url, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"failed: .*(exists|directory)"):
        download(url + "good.gz", tmp_path / "file" / "x.gz", SHA256)


def test_interrupt_leaves_nothing_behind(url, tmp_path, monkeypatch):
    """Ctrl-C while the file is being checked."""

    def interrupt(file, limit):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "sha256_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(url + "good.gz", tmp_path / "file.gz", SHA256)
    assert os.listdir(tmp_path) == []


def test_missing_files_are_downloaded_once(url, tmp_path):
    folder = DataFolder("mnist", tmp_path / "here", download=True)
    path = folder.find("good.gz", url + "good.gz", SHA256)
    assert path == tmp_path / "here" / "good.gz"
    assert folder.find("good.gz", url + "missing.gz", "no hash") == path


def test_no_download_without_permission(url, tmp_path):
    folder = DataFolder("mnist", tmp_path, download=False)
    with pytest.raises(DataError, match=r"good\.gz is missing"):
        folder.find("good.gz", url + "good.gz", SHA256)
    assert os.listdir(tmp_path) == []
