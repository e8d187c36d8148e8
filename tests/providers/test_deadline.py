"""The time of a call: it ends at its deadline, whatever is still coming."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from errors import AuthenticationFailed, InvalidMessage, OutcomeUnknown, ProviderUnavailable
from providers import deadline
from tests.providers.listener import Listener
from tests.providers.samples import ID, failure, plain, resend, send
from tools.processes import wait_until


def test_a_call_whose_time_is_over_before_it_connects_sends_nothing(listener, monkeypatch):
    real, never = socket.getaddrinfo, threading.Event()

    def slow(*arguments: Any, **options: Any) -> Any:
        never.wait(0.6)
        return real(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert type(failure(resend(listener.url, timeout=0.2))) is ProviderUnavailable
    assert listener.requests == []


LENGTH = b"Content-Length: 600\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"", OutcomeUnknown),
        (b"HTTP/1.1 200 OK\r\nX-Padding: ", OutcomeUnknown),
        (b"HTTP/1.1 200 OK\r\n" + LENGTH, OutcomeUnknown),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", OutcomeUnknown),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n", OutcomeUnknown),
        (b"HTTP/1.1 422 No\r\n" + LENGTH, InvalidMessage),
        (b"HTTP/1.1 401 No\r\n" + LENGTH, AuthenticationFailed),
    ],
)
def test_a_dripping_answer_is_cut_at_the_deadline(listener: Listener, first, expected):
    listener.drips(first, b" " * 600)  # whole after 30 s, and a read timeout would never strike
    assert type(failure(resend(listener.url, timeout=1))) is expected
    assert not listener.dripped


def test_each_call_is_cut_at_its_own_deadline(listener: Listener):
    listener.drips(b"", b" " * 600)
    long, short = resend(listener.url, timeout=20), resend(listener.url, timeout=0.5)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(failure, long)
        wait_until(lambda: len(listener.requests) == 1, "the first call to arrive")
        assert type(failure(short)) is OutcomeUnknown
        assert not other.done()
        listener.stopped.set()  # the rest comes at once
        assert type(other.result()) is OutcomeUnknown


def test_where_no_thread_is_left_for_the_watch_nothing_is_sent(listener: Listener, monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(deadline, "_watch", deadline._Watch())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    error = failure(resend(listener.url))
    assert (type(error), error.reached) == (ProviderUnavailable, False)
    assert "can't start new thread" in str(error)
    assert listener.connections == 0


def test_one_thread_watches_all_calls(listener: Listener, monkeypatch: pytest.MonkeyPatch):
    started: list[str] = []
    start = threading.Thread.start

    def count(thread: threading.Thread) -> None:
        if threading.current_thread() is threading.main_thread():  # the listener has its own
            started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", count)
    providers = [resend(listener.url), resend(listener.url, timeout=1)]
    for _ in range(5):
        for provider in providers:
            send(provider, plain(), ID)
    assert len(started) <= 1
