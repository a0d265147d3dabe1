"""What answers HTTP requests, and mutants of them."""

import json
import socket

import numpy as np

from fastdl.report.errors import ErrorPage, PageServer
from fastdl.report.errors.server import _Handler
from fastdl.strategy import ErrorAnalysis
from tests.files.hostile import mutate

M = 12
# The last is to HTTP 0.9, and to what is no HTTP: those have no line of a status.
REFUSED = (b"HTTP/1.1 4", b"HTTP/1.1 501 ", b"HTTP/1.1 505 ", b'{"error": ')


class Requests:
    """Whole requests, and what answers a mutant of one."""

    guarded = ()
    slow = ()
    never_raise = ("anybodys_request", "own_request", "body_of_an_own_request")

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (M, 6, 5, 1), np.uint8)
        self.analysis = ErrorAnalysis(x, np.arange(M) % 2, np.full((M, 2), 0.5), "ab")
        self.server = PageServer(ErrorPage(self.analysis, "a run").routes())
        self.server.server_close()  # requests come by a pair of sockets
        host = f"127.0.0.1:{self.server.server_address[1]}"
        self.head = (
            f"Host: {host}\r\nOrigin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"
            f"Accept: */*\r\nConnection: close\r\n"
        )
        self.cookie = f"Cookie: a=b; {self.server.cookie}={self.server.token}\r\n"
        self.bodies = {
            "/tag": {"examples": [1, 2], "category": "blurry", "inside": True},
            "/rename": {"category": "blurry", "name": "dark"},
            "/forget": {"category": "dark"},
            "/undo": {},
            "/redo": {},
            "/label": {"example": 1, "label": 0},
            "/restore": json.loads(json.dumps(self.analysis.tags.to_dict())),
        }
        self.paths = ("/", "/state", "/sheet?i=1.2", "/picture?i=3", "/answers?i=2",
                      "/values?i=1", "/errors.csv", "/errors.json")  # fmt: skip

    def ask(self, content):
        """Return the answer to the bytes of a request; raise what the server would."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**22)
            ours.sendall(content[: 2**17])
            ours.shutdown(socket.SHUT_WR)
            try:
                _Handler(theirs, ("127.0.0.1", 1), self.server)
            except OSError:  # the client is gone: `handle_error` ignores that
                return b""
            theirs.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: ours.recv(2**20), b""))

    def whole(self, cookie, rng, body=None):
        if rng.random() < 0.5 and body is None:
            path = rng.choice(self.paths)
            return f"GET {path} HTTP/1.1\r\n{self.head}{cookie}\r\n".encode()
        path = rng.choice(list(self.bodies))
        if body is None:
            content = json.dumps(self.bodies[path]).encode()
        else:
            content = body(self.bodies[path], rng)
        head = f"POST {path} HTTP/1.1\r\n{self.head}{cookie}"
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content

    # Each method answers one mutant.

    def anybodys_request(self, rng):
        """Without the secret nothing is told, and nothing changes."""
        before = self.analysis.tags.to_dict()
        answer = self.ask(mutate.content(self.whole("", rng), rng))
        assert answer.startswith(REFUSED) or not answer
        assert self.analysis.tags.to_dict() == before

    def own_request(self, rng):
        answer = self.ask(mutate.content(self.whole(self.cookie, rng), rng))
        assert answer.startswith((b"HTTP/1.1 200 ", *REFUSED)) or not answer
        assert b"Traceback" not in answer

    def body_of_an_own_request(self, rng):
        answer = self.ask(self.whole(self.cookie, rng, mutate.json_text))
        assert answer.startswith((b"HTTP/1.1 200 ", *REFUSED))
        self.analysis.to_json().encode()
