"""The server of the page of mistakes (S29): it answers its own page and nobody else."""

import http.client
import json
import socket
import threading
import time

import numpy as np
import pytest

from fastdl.report.errors import ErrorPage, PageServer
from fastdl.strategy import ErrorAnalysis

EVIL = '<script>alert("\'&")</script>'


def analysis_of(path=None, m=40):
    rng = np.random.default_rng(0)
    y_true = np.arange(m) % 2
    probabilities = np.full((m, 2), 0.25)
    answers = np.where(np.arange(m) < 10, 1 - y_true, y_true)
    probabilities[np.arange(m), answers] = 0.75
    x = rng.integers(0, 256, (m, 6, 5, 1), np.uint8)
    return ErrorAnalysis(x, y_true, probabilities, ("cat", EVIL), tags=path)


@pytest.fixture
def analysis(tmp_path):
    return analysis_of(tmp_path / "tags.json")


@pytest.fixture
def server(analysis):
    with PageServer(ErrorPage(analysis, "a run").routes()) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def ask(server):
    """Send a request; return its status, headers and body."""
    host = f"127.0.0.1:{server.server_address[1]}"

    def send(path, body=None, method=None, **headers):
        given = {"Host": host, "Cookie": f"{server.cookie}={server.token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(host, timeout=10)
        connection.putrequest(
            method or ("GET" if body is None else "POST"),
            path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None and "Content_Length" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.status, answer.headers, answer.read()
        connection.close()
        return content

    return send


def raw(server, text):
    """Send bytes that may be no HTTP; return all that comes back."""
    with socket.create_connection(server.server_address, timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_that_was_refused_is_no_request(server):
    """The connection is closed, as what follows on it may be such a body."""
    host = f"Host: 127.0.0.1:{server.server_address[1]}\r\n"
    entry = f"{host}Cookie: {server.cookie}={server.token}\r\n\r\n"
    answer = raw(
        server,
        f"POST /tag HTTP/1.1\r\n{entry}GET /state HTTP/1.1\r\n{entry}".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert answer.count(b"HTTP/1.1 ") == 1


# Who may ask --------------------------------------------------------------------------


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert server.url.startswith("http://127.0.0.1:")
    assert len(server.token) >= 43  # 32 random bytes


def test_the_first_address_gives_a_cookie_and_no_other_does(server, ask):
    path = server.url.partition(str(server.server_address[1]))[2]
    status, headers, body = ask(path, Cookie=None, Sec_Fetch_Site="cross-site")
    assert status == 200
    assert b"<!DOCTYPE html>" in body
    secret, *rules = headers["Set-Cookie"].split("; ")
    assert secret == f"{server.cookie}={server.token}"
    assert rules == ["Path=/", "HttpOnly", "SameSite=Strict"]
    assert server.token.encode() not in body
    status, headers, _ = ask("/", Cookie=f"a=b; {secret}; c")
    assert (status, headers["Set-Cookie"]) == (200, None)


@pytest.mark.parametrize(
    "path", ["/", "/state", "/main.js", "/errors.csv", "/nowhere", "/sheet?i=0"]
)
@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": None},
        {"Cookie": "fastdl-1=x"},
        {"Cookie": "{name}=wrong"},
        {"Cookie": "{name}="},
        {"Cookie": "{name}=ü"},
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "[::1]:{port}"},
        {"Host": ""},
        {"Host": None},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_others_are_refused(server, ask, path, headers):
    """S29: without the token, or with a foreign Host or Origin."""
    known = {"name": server.cookie, "port": server.server_address[1]}
    headers = {n: v and v.format(**known) for n, v in headers.items()}
    status, given, body = ask(path, **headers)
    assert status == 403
    assert json.loads(body)["error"] == "open the address that fastdl printed"
    assert given["Set-Cookie"] is None


def test_a_wrong_first_address_is_refused(ask):
    for path in ("/?token=", "/?token=x", "/?token=%C3%BC", "/state?token=x"):
        assert ask(path, Cookie=None)[0] == 403


def test_nobody_else_can_tag(server, ask, analysis):
    wanted = {"examples": [1], "category": "other", "inside": True}
    for headers in (
        {"Cookie": None},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
    ):
        assert ask("/tag", wanted, **headers)[0] == 403
    assert not analysis.tags.tagged()
    own = f"http://127.0.0.1:{server.server_address[1]}"
    status, _, body = ask("/tag", wanted, Origin=own, Sec_Fetch_Site="same-origin")
    assert status == 200
    assert json.loads(body)["tags"] == {"1": ["other"]}


@pytest.mark.parametrize(
    "path",
    [
        "/../tags.json",
        "/..%2f..%2fetc/passwd",
        "/static/../server.py",
        "/tags.json",
        "//etc/passwd",
        "/main.js/",
        "/STATE",
        "/%2e%2e/",
        "../",
        "*",
        "http://evil.example/state/",
    ],
)
def test_nothing_else_is_served(ask, path):
    """S29: `../` gets 404, without the token 403."""
    assert ask(path)[0] == 404
    assert ask(path, Cookie=None)[0] == 403


def test_methods(ask):
    assert ask("/state", b"{}")[0] == 404
    assert ask("/tag")[0] == 404
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"):
        status, headers, _ = ask("/state", method=method)
        assert status == 501
        assert "Access-Control-Allow-Origin" not in headers


def test_headers_of_every_answer(ask):
    for path in ("/", "/main.js", "/page.css", "/state", "/sheet?i=1", "/nowhere"):
        headers = ask(path)[1]
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Server"] == "fastdl"
    assert ask("/main.js")[1]["Content-Type"].startswith("text/javascript")


# Malformed requests -------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\r\n",
        b"\x00\xff\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"<script> / HTTP/1.1\r\n\r\n",
        b"POST /tag HTTP/1.1\r\nContent-Length: 5\r\n\r\n{",
    ],
    ids=range(15),
)
def test_what_is_no_request_is_survived(server, ask, text, capfd):
    answer = raw(server, text)
    assert answer == b"" or b"error" in answer
    assert b"<script>" not in answer
    assert ask("/state")[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("length", "status"),
    [(None, 411), ("", 411), ("-1", 411), ("x", 411), ("²", 411), ("1" * 30, 413)],
)
def test_bodies_without_an_honest_length(ask, length, status):
    headers = {} if length is None else {"Content_Length": length}
    assert ask("/tag", method="POST", **headers)[0] == status
    assert ask("/restore", method="POST", Content_Length=str(2**24 + 1))[0] == 413


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        {},
        {"examples": [1]},
        {"examples": [1], "category": "a"},
        {"examples": 1, "category": "a", "inside": True},
        {"examples": [1], "category": "a", "inside": "yes"},
        {"examples": [40], "category": "a", "inside": True},
        {"examples": [-1], "category": "a", "inside": True},
        {"examples": [True], "category": "a", "inside": True},
        {"examples": [1.5], "category": "a", "inside": True},
        {"examples": [[1]], "category": "a", "inside": True},
        {"examples": [1], "category": "", "inside": True},
        {"examples": [1], "category": "a" * 61, "inside": True},
        {"examples": [1], "category": "a\nb", "inside": True},
        {"examples": [1], "category": 5, "inside": True},
        {"examples": [1], "category": ["a"], "inside": True},
    ],
    ids=range(21),
)
def test_tags_that_make_no_sense(ask, body, analysis):
    status, _, answer = ask("/tag", body)
    assert status == 400
    assert json.loads(answer)["error"]
    assert not analysis.tags.tagged()


@pytest.mark.parametrize(
    "path",
    [
        "/sheet",
        "/sheet?i=",
        "/sheet?i=x",
        "/sheet?i=40",
        "/sheet?i=-1",
        "/sheet?i=1.",
        "/sheet?i=" + ".".join(["1"] * 102),
        "/sheet?i=" + "9" * 5000,
        "/picture?i=99",
        "/answers?i=99",
        "/values?i=1",  # these are pictures
    ],
)
def test_examples_that_do_not_exist(ask, path):
    status, _, body = ask(path)
    assert status == 400
    assert len(body) < 400


def test_a_client_that_drips_is_given_up(server, ask, monkeypatch):
    monkeypatch.setattr("fastdl.report.errors.server._SECONDS", 0.2)
    with socket.create_connection(server.server_address, timeout=10) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        for _ in range(1000):
            try:
                slow.sendall(b"a")  # each byte begins the silence anew
            except OSError:
                break
            time.sleep(0.01)
        else:
            pytest.fail("it is still waited for")
    assert ask("/state")[0] == 200


def test_many_idle_clients_lock_nobody_out(server, ask):
    idle = [socket.create_connection(server.server_address) for _ in range(80)]
    assert ask("/state")[0] == 200
    assert len(server._connections) <= 65
    for client in idle:
        client.close()


# What it answers ----------------------------------------------------------------------


def test_state(ask, analysis):
    analysis.tag([0, 20], EVIL, "other")
    status, headers, body = ask("/state")
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    state = json.loads(body)
    assert state["classes"] == ["cat", EVIL]
    assert state["tags"] == {"0": ["other", EVIL], "20": ["other", EVIL]}
    assert (state["wrong"], state["examined"], state["error"]) == (10, 1, 0.25)
    assert state["examples"] == {
        "kind": "picture",
        "columns": [],
        "size": [6, 5],
        "full": [6, 5],
        "sheet": 8,
    }
    assert state["loss"][0] == pytest.approx(-np.log(0.25), abs=1e-4)


def test_the_likeliest_answer_comes_first(ask):
    for example, answers in ((0, [[1, 0.75], [0, 0.25]]), (10, [[0, 0.75], [1, 0.25]])):
        assert json.loads(ask(f"/answers?i={example}")[2]) == answers


def test_tag_undo_redo_rename_forget(ask, analysis):
    def tags(path, **body):
        status, _, answer = ask(path, body)
        assert status == 200
        return json.loads(answer)

    wanted = {"examples": [3, 4], "category": EVIL, "inside": True}
    answer = tags("/tag", **wanted)
    assert answer["tags"] == {"3": [EVIL], "4": [EVIL]}
    assert (answer["undo"], answer["redo"], answer["revision"]) == (True, False, 1)
    assert answer["examined"] == 2
    assert tags("/undo")["tags"] == {"3": [], "4": []}
    assert tags("/redo")["tags"] == {"3": [EVIL], "4": [EVIL]}
    assert tags("/rename", category=EVIL, name="b")["tags"] == {"3": ["b"], "4": ["b"]}
    assert "unusual" not in tags("/forget", category="unusual")["categories"]
    assert ask("/forget", {"category": "b"})[0] == 400
    assert ask("/rename", {"category": "c", "name": "d"})[0] == 400
    assert analysis.tags.members("b") == {3, 4}


@pytest.mark.parametrize(
    ("name", "kind"), [("errors.csv", "text/csv"), ("errors.json", "application/json")]
)
def test_export_and_import(ask, analysis, name, kind):
    analysis.tag([3, 30], EVIL)
    status, headers, exported = ask(f"/{name}")
    assert status == 200
    assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
    analysis.untag([3], EVIL)
    status, _, body = ask("/restore", exported, Content_Type=kind)
    assert status == 200
    assert json.loads(body)["tags"] == {"3": [EVIL]}
    status, _, body = ask("/restore", b"nonsense", Content_Type=kind)
    assert status == 400
    assert "the file" in json.loads(body)["error"]
    assert analysis.tags.members(EVIL) == {3, 30}


def test_a_tag_that_cannot_be_saved_is_told(ask, analysis, monkeypatch):
    def full(path, _):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("fastdl.strategy.tags.write_text", full)
    wanted = {"examples": [1], "category": "other", "inside": True}
    status, _, body = ask("/tag", wanted)
    assert status == 500
    assert json.loads(body)["error"].endswith("tags.json: No space left on device")
    assert not analysis.tags.tagged()


def test_many_at_once(ask, analysis):
    """Threads tag at the same time; no tag is lost, and the file is whole."""

    def tag(first):
        for index in range(first, 40, 4):
            wanted = {"examples": [index], "category": f"c{first}", "inside": True}
            assert ask("/tag", wanted)[0] == 200

    threads = [threading.Thread(target=tag, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert analysis.tags.tagged() == set(range(40))
    saved = json.loads(analysis.tags.path.read_text())["tags"]
    assert saved["c3"] == list(range(3, 40, 4))


def test_a_port_that_is_taken():
    page = ErrorPage(analysis_of(), "a run")
    with PageServer(page.routes()) as server:
        port = server.server_address[1]
        with pytest.raises(OSError, match=f"port {port}"):
            PageServer(page.routes(), port)
