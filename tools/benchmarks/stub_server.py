"""A provider that costs next to nothing: one thread, no thought, answers that Resend would give.

    python -m tools.benchmarks.stub_server CERTIFICATE

It prints its two ports, of http and of https. `POST .../batch` is a batch, any other POST one
email. `GET /reset?latency=0.1` forgets what came and sets the seconds that each answer takes;
`GET /wait?emails=N&seconds=S` answers once so many emails came, or the time is over, with the
count and the moments of the first and the last.
"""

import heapq
import itertools
import json
import re
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

CHUNK = 256 * 1024  # bytes in one read; a batch of 100 emails is about 200 KB

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = "00000000-0000-4000-8000-%012x"


class _Connection:
    """One client; what it asks is answered in order."""

    def __init__(self, stub: "Stub", connected: socket.socket) -> None:
        self._stub = stub
        self._socket = connected
        self._received = bytearray()

    def readable(self) -> None:
        try:
            data = self._read()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return  # of TLS: a part of the handshake or of a record
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._received += data
        self._take_requests()

    def answer(self, status: bytes, body: bytes, header: bytes = b"") -> None:
        """Answers are small: a socket that cannot take one at once belongs to nobody."""
        head = b"HTTP/1.1 %s\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        try:
            self._socket.sendall(head % (status, header, len(body)) + body)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._stub.forget(self._socket)
            self._socket.close()

    def _read(self) -> bytes:
        data = self._socket.recv(CHUNK)
        if isinstance(self._socket, ssl.SSLSocket):
            while pending := self._socket.pending():  # the selector does not see these
                data += self._socket.recv(pending)
        return data

    def _take_requests(self) -> None:
        received = self._received
        while (end := received.find(b"\r\n\r\n")) >= 0:
            head = bytes(received[:end])
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(received) < whole:
                return
            body = bytes(received[end + 4 : whole])
            del received[:whole]
            method, path, _ = head.split(b" ", 2)
            self._stub.serve(self, method, path, body)


class Stub:
    """Counts emails and answers them; `run` serves for ever."""

    def __init__(self, certificate: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._waiting: list[tuple[int, float, _Connection]] = []
        self._latency = self._first = self._last = 0.0
        self._emails = 0

    def listen(self, secure: bool) -> int:
        """The port of a new listening socket."""
        server = socket.create_server(("127.0.0.1", 0), backlog=1024)
        server.setblocking(False)
        self._selector.register(server, selectors.EVENT_READ, lambda: self._accept(server, secure))
        port: int = server.getsockname()[1]
        return port

    def run(self) -> None:
        while True:
            patience = self._timers[0][0] - time.monotonic() if self._timers else None
            for key, _ in self._selector.select(patience):
                key.data()
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def forget(self, connected: socket.socket) -> None:
        self._selector.unregister(connected)

    def serve(self, client: _Connection, method: bytes, path: bytes, body: bytes) -> None:
        if method == b"GET":
            self._control(client, path.decode())
            return
        emails = len(json.loads(body)) if path.endswith(b"/batch") else 1
        answer = self._answer(path, [_ID % next(self._numbers) for _ in range(emails)])
        self._arrived(emails)
        if self._latency:
            self._at(time.monotonic() + self._latency, lambda: client.answer(*answer))
        else:
            client.answer(*answer)

    @staticmethod
    def _answer(path: bytes, ids: list[str]) -> tuple[bytes, ...]:
        first = ids[0].encode()
        if path.endswith(b"/batch"):
            data = {"data": [{"id": each} for each in ids], "errors": []}
            return b"200 OK", json.dumps(data).encode()
        if path == b"/v3/mail/send":
            return b"202 Accepted", b"", b"X-Message-Id: %s\r\n" % first
        return b"200 OK", b'{"success":true,"id":"%s","jobId":"%s"}' % (first, first)

    def _arrived(self, emails: int) -> None:
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._emails += emails
        if self._waiting:
            self._tell()

    def _control(self, client: _Connection, target: str) -> None:
        parts = urlsplit(target)
        query = {name: float(value) for name, value in parse_qsl(parts.query)}
        if parts.path == "/reset":
            self._latency = query.get("latency", 0)
            self._reset()
            client.answer(b"200 OK", b"{}")
        else:
            end = time.monotonic() + query["seconds"]
            self._waiting.append((int(query["emails"]), end, client))
            self._at(end, self._tell)
            self._tell()

    def _reset(self) -> None:
        self._emails = 0
        self._first = self._last = 0.0

    def _tell(self) -> None:
        """Answer whoever waited for what has happened by now."""
        moment = time.monotonic()
        still = []
        for emails, end, client in self._waiting:
            if self._emails < emails and moment < end:
                still.append((emails, end, client))
            else:
                counts = {"emails": self._emails, "first": self._first, "last": self._last}
                client.answer(b"200 OK", json.dumps(counts).encode())
        self._waiting = still

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (moment, next(self._numbers), action))

    def _accept(self, server: socket.socket, secure: bool) -> None:
        connected, _ = server.accept()
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            connected = self._context.wrap_socket(
                connected, server_side=True, do_handshake_on_connect=False
            )
        client = _Connection(self, connected)
        self._selector.register(connected, selectors.EVENT_READ, client.readable)


def main() -> None:
    stub = Stub(sys.argv[1])
    sys.stdout.write(f"{stub.listen(secure=False)} {stub.listen(secure=True)}\n")
    sys.stdout.flush()
    stub.run()


if __name__ == "__main__":
    main()
