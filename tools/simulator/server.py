"""HTTP/1.1 on one port, a thread a connection: bytes to requests, and answers to bytes."""

import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from tools.simulator.application import Application
from tools.simulator.browsers import is_of_another_site
from tools.simulator.exchange import Reply, Request, json_reply
from tools.simulator.misbehaviour import Ending

OTHER_SITE = json_reply(403, {"error": "the simulator answers no page of another site"})
MAX_BODY = 64 * 1024 * 1024  # bytes, above each vendor's own limit


class Server(ThreadingHTTPServer):
    """Listens from the start; `serve_forever` answers. Port 0 picks a free one."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        self.own_name = host
        super().__init__((host, port), _ClientConnection)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's would ask the name service who we are

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients that leave are no news
            super().handle_error(request, client_address)


class _ClientConnection(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        length = self._length()
        if isinstance(length, Reply):
            self.close_connection = True
            self._send(length, "answer")
            return
        body = self.rfile.read(length)
        if len(body) < length:  # the client left in the middle
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        if is_of_another_site(headers, self.server.own_name):
            self._send(OTHER_SITE, "answer")
            return
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=unquote(path),
            query=dict(parse_qsl(query)),
            headers=headers,
            body=body,
        )
        self._send(*self.server.application.respond(request, self._wait))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the log file says what was accepted."""

    def _length(self) -> int | Reply:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            return json_reply(411, {"error": "the simulator wants a Content-Length"})
        if len(length) > 9 or int(length) > MAX_BODY:
            return json_reply(413, {"error": f"a body has at most {MAX_BODY} bytes"})
        return int(length)

    def _wait(self, seconds: float) -> None:
        """Sleep, or less if the client leaves."""
        if seconds <= 0:
            return
        end = time.monotonic() + seconds
        self.connection.settimeout(seconds)
        try:
            waiting = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:  # the time is over, or the connection is reset
            return
        finally:
            self.connection.settimeout(None)
        if waiting:  # the next request, early
            time.sleep(max(0, end - time.monotonic()))

    def _send(self, reply: Reply, ending: Ending) -> None:
        if ending == "drop":
            self.close_connection = True
        elif ending == "cut":
            self.close_connection = True
            self.connection.sendall(_first_half(reply))
        elif ending == "drip":
            for byte in reply.encode():
                self.connection.sendall(bytes([byte]))
                self._wait(1)
        else:
            self.connection.sendall(reply.encode())


def _first_half(reply: Reply) -> bytes:
    head = reply.head()
    return head + reply.body[: len(reply.body) // 2] if reply.body else head[: len(head) // 2]
