"""A call: who gets the key, what a broken connection means, and how much of an answer is read."""

import gzip
import socket
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import (
    AuthenticationFailed,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
)
from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, KEY, failure, plain, resend, send


def header(request: bytes, name: str) -> list[str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    pairs = [line.split(": ", 1) for line in lines]
    return [value for key, value in pairs if key.lower() == name.lower()]


def test_a_netrc_file_cannot_replace_the_key(listener: Listener, monkeypatch, tmp_path: Path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password x\ndefault login eve password x\n")
    monkeypatch.setenv("NETRC", str(netrc))
    send(resend(listener.url), plain(), ID)
    assert header(listener.requests[0], "Authorization") == [f"Bearer {KEY}"]


def test_a_request_says_who_we_are_and_what_it_holds(listener: Listener):
    send(resend(listener.url), plain(), ID)
    [request] = listener.requests
    assert request.startswith(b"POST /emails HTTP/1.1\r\n")
    assert header(request, "User-Agent")[0].startswith("flask-email-starter/")
    assert header(request, "Content-Type") == ["application/json"]
    assert header(request, "Idempotency-Key") == [ID]


def test_a_cookie_of_the_provider_is_not_sent_back(listener: Listener):
    listener.answers(answer(200, b"{}", "Set-Cookie: session=1; Path=/"))
    provider = resend(listener.url)
    for _ in range(2):
        send(provider, plain(), ID)
    assert header(listener.requests[1], "Cookie") == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(listener: Listener, status):
    with Listener() as other:
        listener.answers(answer(status, b"", f"Location: {other.url}/emails"))
        assert type(failure(resend(listener.url))) is AuthenticationFailed
        assert (len(listener.requests), other.connections) == (1, 0)


def test_of_a_redirect_no_more_is_read_than_of_any_answer(listener: Listener):
    listener.answers(answer(302, b" " * 30_000_000, f"Location: {listener.url}/elsewhere"))
    tracemalloc.start()
    try:
        assert type(failure(resend(listener.url))) is AuthenticationFailed
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_base_url_may_end_with_a_slash(listener: Listener):
    send(resend(listener.url + "/"), plain(), ID)
    assert listener.requests[0].startswith(b"POST /emails HTTP/1.1\r\n")


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A port whose queue is full, so that a connection is neither made nor refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for each in waiting:
            each.close()


def test_what_never_connects_is_unavailable(black_hole: str):
    error = failure(resend(black_hole, timeout=0.3))
    assert (type(error), error.status, error.reached) == (ProviderUnavailable, 0, False)


def test_a_refused_connection_is_unavailable_and_named():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    error = failure(resend(url))
    assert (type(error), error.reached) == (ProviderUnavailable, False)
    assert str(error) == f"resend could not be reached at {url} (NewConnectionError)"


def test_an_unknown_host_is_unavailable(monkeypatch: pytest.MonkeyPatch):
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(resend("http://api.example.com"))
    assert (type(error), error.reached) == (ProviderUnavailable, False)
    assert "NameResolutionError" in str(error)


def test_a_proxy_that_refuses_the_tunnel_has_accepted_no_email(listener: Listener, monkeypatch):
    listener.answers(answer(403))
    monkeypatch.setenv("https_proxy", listener.url)
    error = failure(resend("https://api.example.com"))
    assert (type(error), error.reached) == (ProviderUnavailable, False)
    assert listener.requests[0].startswith(b"CONNECT api.example.com:443 ")
    assert KEY.encode() not in listener.requests[0]


def test_a_proxy_of_the_environment_is_used_but_where_it_says_no(listener: Listener, monkeypatch):
    monkeypatch.setenv("http_proxy", listener.url)
    send(resend("http://api.example.com"), plain(), ID)
    assert listener.requests[0].startswith(b"POST http://api.example.com/emails HTTP/1.1\r\n")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    send(resend(listener.url), plain(), ID)
    assert listener.requests[1].startswith(b"POST /emails HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (b"", (OutcomeUnknown, 0)),
        (b"HTTP/1.1 2", (OutcomeUnknown, 0)),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"id":', (OutcomeUnknown, 200)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
            (OutcomeUnknown, 200),
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
            (OutcomeUnknown, 200),
        ),
        (b"HTTP/1.1 400 No\r\nContent-Length: 99\r\n\r\n{", (InvalidMessage, 400)),
        (b"HTTP/1.1 302 No\r\nContent-Length: 99\r\n\r\n{", (AuthenticationFailed, 302)),
    ],
)
def test_a_cut_answer_is_a_yes_to_nobody(listener: Listener, part, expected):
    listener.says_and_leaves(part)
    error = failure(resend(listener.url))
    assert (type(error), error.status) == expected


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip bomb"])
def test_of_a_huge_answer_only_the_beginning_is_read(listener: Listener, packed):
    body = b'{"id": "r-1"}' + b" " * 30_000_000
    headers = ["Content-Encoding: gzip"] if packed else []
    listener.answers(answer(200, gzip.compress(body, 1) if packed else body, *headers))
    provider = resend(listener.url)
    tracemalloc.start()
    try:
        receipt = send(provider, plain(), ID)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert receipt.message_id == "r-1"
    assert peak < 5_000_000
