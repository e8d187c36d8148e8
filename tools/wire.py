"""HTTP by hand: bytes on a socket, because no client library sends what an attacker sends."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPResponse
from typing import NamedTuple

Header = tuple[str, str | bytes]
TIMEOUT = 60.0  # seconds until a test gives up on an answer


class WireAnswer(NamedTuple):
    """One answer; `headers` without `Date`, so that two answers can be compared."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name; None if there is none."""
        found = (value for each, value in self.headers if each.lower() == name.lower())
        return next(found, None)


def raw_text(value: str | bytes) -> bytes:
    """`value` as UTF-8; the lone surrogates `\\udc80` to `\\udcff` stand for single bytes."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def request(
    method: str, path: str, headers: Iterable[Header] = (), body: bytes | None = None
) -> bytes:
    """A request as bytes, with nothing checked, escaped or added but the length of a body."""
    lines = [raw_text(f"{method} {path} HTTP/1.1")]
    lines += [raw_text(name) + b": " + raw_text(value) for name, value in headers]
    lines += [b"Connection: close"]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def chunked(body: bytes, size: int = 65536) -> bytes:
    """`body` in chunks of `size`, with the last chunk."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def exchange(port: int, data: bytes, *, breaks_off: bool = False) -> WireAnswer:
    """Send `data` and read one answer; with `breaks_off` the sending side is closed after it."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)  # a refusal may come before everything has been read
        if breaks_off:
            connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=data.partition(b" ")[0].decode("latin-1"))
        response.begin()
        headers = tuple(each for each in response.getheaders() if each[0] != "Date")
        return WireAnswer(response.status, headers, response.read())


def send_without_listening(port: int, data: bytes) -> None:
    """Send `data` and hang up: whatever comes of it, the sender never knows."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        connection.sendall(data)


@contextmanager
def half_open(port: int, beginning: bytes, count: int) -> Iterator[list[socket.socket]]:
    """So many clients that have sent the beginning of a request, and say nothing more."""
    with ExitStack() as stack:
        address = ("127.0.0.1", port)
        clients = [
            stack.enter_context(socket.create_connection(address, TIMEOUT)) for _ in range(count)
        ]
        for client in clients:
            client.sendall(beginning)
        yield clients
