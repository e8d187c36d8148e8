"""PostgreSQL over TCP: a relay to its socket, which may pose as a pooler like PgBouncer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

from sqlalchemy import make_url

_KEY = b"K\x00\x00\x00\x0c"  # BackendKeyData: then follow the process id and a secret, 4 bytes each


class Relay(ThreadingTCPServer):
    """`url` leads through it; `sent` is every byte that clients sent.

    A pooler tells clients another process id than the server's, as theirs are many.
    """

    def __init__(self, url: str, *, pooler: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        there = make_url(url)
        self.target = f"{there.query['host']}/.s.PGSQL.5432"
        port = self.server_address[1]
        self.url = f"postgresql://{there.username}@127.0.0.1:{port}/{there.database}"
        self.sent = bytearray()
        self._pooler = pooler

    def keep(self, data: bytes) -> bytes:
        self.sent += data
        return data

    def disguise(self, data: bytes) -> bytes:
        at = data.find(_KEY) if self._pooler else -1
        return data if at < 0 else data[: at + 5] + bytes(4) + data[at + 9 :]


class _Connection(BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as postgresql:
            postgresql.connect(self.server.target)
            back = (postgresql, self.request, self.server.disguise)
            answers = threading.Thread(target=_pump, args=back)
            answers.start()
            _pump(self.request, postgresql, self.server.keep)
            answers.join()


def _pump(source: socket.socket, target: socket.socket, passed: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(passed(data))
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(url: str, *, pooler: bool = False) -> Iterator[Relay]:
    """A relay to the PostgreSQL at `url`, until the block ends and all who use it have left."""
    with Relay(url, pooler=pooler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server
        finally:
            server.shutdown()
