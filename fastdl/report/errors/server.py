"""A web server for one page and one user: this machine's.

It listens on 127.0.0.1 only. Other users and other web pages can reach that address
too, so every request must carry a secret: the first one in its address, the others in a
cookie that no script can read and that the browser sends to nobody else (SameSite).
Host and Origin must be its own; otherwise a page elsewhere could give its own name to
127.0.0.1 (DNS rebinding) or send forms. It serves a fixed list of routes and never
reads the path of a request as a path on disk.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import socketserver
import sys
import threading
import traceback
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Protocol, TypeAlias, cast
from urllib.parse import parse_qs, urlsplit

from fastdl.errors import FastdlError
from fastdl.files import SMALL, parse_json

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SECONDS = 30  # how long a client may take to send a request
_CONNECTIONS = 64  # that are open at a time; a browser has six


class Answer(NamedTuple):
    """The body of a response and its type; `name` makes it a download."""

    body: bytes
    kind: str
    name: str = ""


class Request(NamedTuple):
    """The input of a route: the fields of the address, and the body of a POST."""

    fields: Mapping[str, str]
    body: bytes
    kind: str  # of the body

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; ValueError if it is not one."""
        content = parse_json(self.body, "the request")
        if not isinstance(content, dict):
            raise ValueError("expected a JSON object")
        return content


Route = Callable[[Request], Answer]
# What the standard library's servers hand around; ours has only the first.
Connection: TypeAlias = socket.socket | tuple[bytes, socket.socket]


def json_answer(content: Mapping[str, object] | Sequence[object]) -> Answer:
    """Return JSON data as an answer."""
    return Answer(json.dumps(content, allow_nan=False).encode(), "application/json")


class PageServer(ThreadingHTTPServer):
    """Serves the routes of one page on a port of 127.0.0.1.

    Parameters
    ----------
    routes : mapping
        The function for ``("GET", "/state")`` and so on. ``("GET", "/")`` is the page.
    port : int
        0 takes a free one.

    Attributes
    ----------
    url : str
        The address to open, with its secret.

    Raises
    ------
    OSError
        The port is taken, or not allowed.
    """

    daemon_threads = True
    request_queue_size = 128  # connections that come at once; of 5 the sixth waits 1 s

    def __init__(self, routes: Mapping[tuple[str, str], Route], port: int = 0) -> None:
        self.routes = dict(routes)
        self._connections: dict[socket.socket, None] = {}  # the oldest first
        self.token = secrets.token_urlsafe(32)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except OSError as error:
            error.filename = f"port {port}"
            raise
        port = self.server_address[1]
        self.cookie = f"fastdl-{port}"  # browsers share cookies among ports
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.url = f"http://127.0.0.1:{port}/?token={self.token}"

    def server_bind(self) -> None:
        """Bind without asking the network for the name of this machine."""
        socketserver.TCPServer.server_bind(self)

    def process_request(
        self, request: Connection, client_address: tuple[str, int]
    ) -> None:
        """Take a connection; drop the oldest of too many, as it is most likely idle."""
        self._connections[cast(socket.socket, request)] = None
        for oldest in list(self._connections)[:-_CONNECTIONS]:
            _stop(oldest, socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Connection) -> None:
        """Forget a connection."""
        self._connections.pop(cast(socket.socket, request), None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class Page(Protocol):
    """Anything with routes."""

    def routes(self) -> Mapping[tuple[str, str], Route]:
        """Return the routes, see `PageServer`."""


def serve(page: Page, port: int = 0, browser: bool = True) -> None:
    """Show a page in the browser until Ctrl-C.

    Parameters
    ----------
    page : Page
        Such as `ErrorPage`.
    port : int
        Of 127.0.0.1; 0 takes a free one.
    browser : bool
        Whether to open the address in a browser if there is a screen, besides printing
        it.

    Raises
    ------
    OSError
        The port is taken, or not allowed.
    """
    with PageServer(page.routes(), port) as server:
        print(f"open {server.url}\nCtrl-C ends it", flush=True)
        if browser and _has_screen():
            # In a thread: it may wait for the browser to answer, which waits for us.
            threading.Thread(
                target=webbrowser.open, args=(server.url,), daemon=True
            ).start()
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def _has_screen() -> bool:
    """Whether a browser has a window; one in the terminal would take it over."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _stop(connection: socket.socket, how: int) -> None:
    with suppress(OSError):  # the client was faster
        connection.shutdown(how)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"  # one connection for many requests
    timeout = _SECONDS

    def handle_one_request(self) -> None:
        """Handle a request that comes in time, however slowly its bytes drip in."""
        end = partial(_stop, self.connection, socket.SHUT_RD)
        timer = threading.Timer(_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            super().handle_one_request()
        finally:
            timer.cancel()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def _handle(self) -> None:
        try:
            address = urlsplit(self.path)
            fields = {name: each[-1] for name, each in parse_qs(address.query).items()}
        except ValueError:  # such as http://[
            self._refuse(HTTPStatus.BAD_REQUEST, "a malformed address")
            return
        entering = address.path == "/" and self._is_token(fields.get("token", ""))
        if not self._is_own(entering):
            self._refuse(HTTPStatus.FORBIDDEN, "open the address that fastdl printed")
            return
        route = self.server.routes.get((self.command, address.path))
        if route is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing")
            return
        body = self._body() if self.command == "POST" else b""
        if body is None:
            return
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        try:
            answer = route(Request(fields, body, kind))
        except FastdlError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}"
            self._refuse(HTTPStatus.BAD_REQUEST, f"a malformed request ({what:.200})")
        except OSError as error:
            what = f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, what)
        else:
            self._send(HTTPStatus.OK, answer, entering)

    def _is_own(self, entering: bool) -> bool:
        """Whether our page, or someone with the secret, asks for our address."""
        hosts = self.server.hosts
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return False
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            return False
        if entering:
            return True
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return False
        # By hand, as the library's parser stops at a malformed cookie of another page.
        for cookie in self.headers.get("Cookie", "").split(";"):
            name, _, value = cookie.strip().partition("=")
            if name == self.server.cookie and self._is_token(value):
                return True
        return False

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.server.token.encode())

    def _body(self) -> bytes | None:
        """Return the body; None if it was refused."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a POST needs its length")
        elif len(length) > 12 or int(length) > SMALL:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the file is too large")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True  # a body may be unread
        self._send(status, json_answer({"error": " ".join(reason.split())}))

    def _send(self, status: int, answer: Answer, entering: bool = False) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        if answer.name:
            what = f'attachment; filename="{answer.name}"'
            self.send_header("Content-Disposition", what)
        if entering:
            secret = f"{self.server.cookie}={self.server.token}"
            rules = "Path=/; HttpOnly; SameSite=Strict"
            self.send_header("Set-Cookie", f"{secret}; {rules}")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Answer what is not HTTP, or another method, without echoing it."""
        if not hasattr(self, "request_version"):
            self.request_version = self.protocol_version
        self._refuse(HTTPStatus(code), HTTPStatus(code).phrase)

    def version_string(self) -> str:
        """Name no versions."""
        return "fastdl"

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal quiet."""
