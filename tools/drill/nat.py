"""A NAT between us and the provider, which forgets connections that were idle, without a word."""

import select
import socket
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

FORGETS_AFTER = 21.0  # seconds; connections that were idle for 20 are not used again


class Nat(ThreadingTCPServer):
    """`url` leads through it to the server at `port` of loopback.

    A connection on which nothing passed for FORGETS_AFTER is forgotten: both ends stay open, and
    what comes from then on goes nowhere. `forgotten` counts those. A context manager.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.forgotten = 0
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self.shutdown()
        self.server_close()


class _Connection(BaseRequestHandler):
    server: Nat

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as there, suppress(ConnectionError):
            other = {self.request: there, there: self.request}
            while ready := select.select([*other], [], [], FORGETS_AFTER)[0]:
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)
            self.server.forgotten += 1
            self.server.closed.wait()
