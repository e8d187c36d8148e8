"""The NAT of the drill: what passes, and what it forgets."""

import socket
from collections.abc import Iterator

import pytest
from attrs import frozen

from tools.drill import nat
from tools.drill.nat import Nat
from tools.processes import wait_until


@frozen
class Line:
    """One connection that leads through a NAT, and both its ends."""

    nat: Nat
    here: socket.socket
    there: socket.socket


@pytest.fixture
def line() -> Iterator[Line]:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        Nat(server.getsockname()[1]) as between,
        socket.create_connection(("127.0.0.1", between.server_address[1])) as here,
        server.accept()[0] as there,
    ):
        there.settimeout(60)
        here.settimeout(60)
        yield Line(between, here, there)


def test_bytes_pass_both_ways(line: Line):
    line.here.sendall(b"request")
    assert line.there.recv(100) == b"request"
    line.there.sendall(b"answer")
    assert line.here.recv(100) == b"answer"


def test_who_leaves_is_seen_at_the_other_end(line: Line):
    line.here.shutdown(socket.SHUT_RDWR)
    assert line.there.recv(100) == b""


def test_what_comes_over_an_idle_connection_goes_nowhere(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    monkeypatch.setattr(nat, "FORGETS_AFTER", 0.1)
    line: Line = request.getfixturevalue("line")
    wait_until(lambda: line.nat.forgotten == 1, "the connection to be forgotten")
    line.here.sendall(b"request")
    line.there.settimeout(0.2)
    with pytest.raises(TimeoutError):
        line.there.recv(100)
