"""The connections: which are used again, and by whom."""

import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from providers import deadline, transport
from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, failure, plain, resend, send
from tools.processes import ROOT

FORK = """
import os, sys
from errors import OutcomeUnknown
from tests.providers.samples import ID, new_provider, plain, send

provider = new_provider("resend", sys.argv[1])
other = new_provider("resend", sys.argv[1], timeout=1)
send(provider, plain(), ID)
if child := os.fork():
    _, status = os.waitpid(child, 0)
    assert status == 0
    send(provider, plain(), ID)
else:
    send(provider, plain(), ID)
    try:
        send(other, plain(subject="Drip"), ID)
    except OutcomeUnknown:
        os._exit(0)
    os._exit(1)
"""


def test_after_a_fork_each_process_has_its_own_connection_and_watch(listener: Listener):
    def script(connection: socket.socket, number: int) -> None:
        if b"Drip" in listener.requests[number]:
            for _ in range(600):
                connection.sendall(b" ")
                listener.stopped.wait(0.05)
        connection.sendall(answer(200, b'{"id": "x"}'))

    listener.script = script
    subprocess.run([sys.executable, "-c", FORK, listener.url], cwd=ROOT, timeout=60, check=True)
    assert (len(listener.requests), listener.connections) == (4, 3)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_connection_serves_the_next_call_too(listener: Listener, status):
    listener.answers(answer(status, b'{"id": "x"}'), answer(200, b'{"id": "x"}'))
    provider = resend(listener.url)
    if status != 200:
        failure(provider)
    send(provider, plain(), ID)
    send(provider, plain(), ID)
    assert listener.connections == 1


def test_each_sending_thread_keeps_a_connection(listener: Listener, caplog):
    threads = 20
    together = threading.Barrier(threads, timeout=60)

    def script(connection: socket.socket, _: int) -> None:
        together.wait()  # all of them are on their way at once
        connection.sendall(answer(200, b'{"id": "x"}'))

    listener.script = script
    provider = resend(listener.url)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(3):
            receipts = list(pool.map(lambda _: send(provider, plain(), ID), range(threads)))
            assert len(receipts) == threads
    assert listener.connections == threads
    assert caplog.records == []


def test_a_connection_that_was_idle_for_long_is_not_used_again(listener: Listener, monkeypatch):
    used: set[Any] = set()

    def forgets(connection: socket.socket, _: int) -> None:
        if connection in used:  # as a NAT does: what comes is dropped without a word
            listener.stopped.wait()
        used.add(connection)
        connection.sendall(answer(200, b'{"id": "x"}'))

    listener.script = forgets
    provider = resend(listener.url, timeout=1)
    send(provider, plain(), ID)
    monkeypatch.setattr(transport, "LONGEST_IDLE", 0)
    assert send(provider, plain(), ID).message_id == "x"
    assert (len(listener.requests), listener.connections) == (2, 2)


def test_a_connection_is_kept_alive_by_the_system(listener: Listener, monkeypatch):
    options: list[int] = []
    write = deadline.Exchange.writes_to

    def look(exchange: deadline.Exchange, connected: socket.socket) -> None:
        options.append(connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        write(exchange, connected)

    monkeypatch.setattr(deadline.Exchange, "writes_to", look)
    send(resend(listener.url), plain(), ID)
    assert set(options) == {1}
