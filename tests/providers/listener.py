"""A server of raw bytes, for answers that no real server gives."""

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, Self

Script = Callable[[socket, int], None]


def answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """One HTTP answer with these headers and a true Content-Length."""
    lines = [f"HTTP/1.1 {status} Status", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Listener(ThreadingTCPServer):
    """Reads whole requests, a thread a connection, and lets `script(socket, number)` answer.

    `requests` are the raw requests in order; `connections` counts what was accepted. With `tls`
    it speaks HTTPS. `stopped` is set on exit, for scripts that wait.
    """

    daemon_threads = True
    request_queue_size = 128  # many may connect at once

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.requests: list[bytes] = []
        self.connections = 0
        self.dripped = False
        self.stopped = threading.Event()
        self.tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_address[1]}"
        self.answers(answer(200, b'{"id":"x"}'))

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.shutdown()
        self.server_close()

    def answers(self, *parts: bytes) -> None:
        """Answer request number n with part n, and every later one with the last part."""

        def say(connection: socket, number: int) -> None:
            connection.sendall(parts[min(number, len(parts) - 1)])

        self.script: Script = say

    def says_and_leaves(self, part: bytes) -> None:
        """Write `part` and close the connection."""

        def say(connection: socket, _: int) -> None:
            connection.sendall(part)
            raise ConnectionError

        self.script = say

    def drips(self, first: bytes, rest: bytes) -> None:
        """Write `first`, then `rest` with 50 ms before each byte; `dripped` once all are out."""

        def drip(connection: socket, _: int) -> None:
            connection.sendall(first)
            for byte in rest:
                self.stopped.wait(0.05)
                connection.sendall(bytes([byte]))
            self.dripped = True
            raise ConnectionError

        self.script = drip

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class _Connection(BaseRequestHandler):
    server: Listener

    def handle(self) -> None:
        with suppress(OSError):  # the client left, or the script did
            if self.server.tls:
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            with self.request:
                while request := self._read():
                    self.server.requests.append(request)
                    self.server.script(self.request, len(self.server.requests) - 1)

    def _read(self) -> bytes:
        head = self._read_until(b"", lambda data: b"\r\n\r\n" in data)
        end = head.find(b"\r\n\r\n") + 4
        lines = head[: end - 4].lower().split(b"\r\n")[1:]
        length = int(dict(line.split(b": ", 1) for line in lines).get(b"content-length", 0))
        return self._read_until(head, lambda data: len(data) >= end + length)

    def _read_until(self, data: bytes, is_whole: Callable[[bytes], bool]) -> bytes:
        while not is_whole(data):
            chunk = self.request.recv(65536)
            if not chunk:
                raise ConnectionError
            data += chunk
        return data
