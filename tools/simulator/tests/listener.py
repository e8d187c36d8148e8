"""A little HTTP server in the place of an app's webhooks: it keeps what it gets."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HOLD, CLOSE = 0, -1


@dataclass(frozen=True)
class Received:
    """One POST. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def provider(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the body, whether they come alone or in an array."""
        value = json.loads(self.body)
        return value if isinstance(value, list) else [value]


@dataclass
class Listener:
    """Answers each POST with the status that `answer` gives for it.

    HOLD is no answer until the other side leaves; CLOSE ends the connection without one.

    A context manager: it listens on entry. `url` is what to give to `--webhooks`.
    """

    answer: Callable[[Received], int] = lambda _: 200
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        listener = self

        class Connection(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                post = Received(self.path, headers, body)
                listener.received.append(post)
                status = listener.answer(post)
                if status == HOLD:
                    self.connection.recv(1)
                if status in (HOLD, CLOSE):
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/moved")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/webhooks"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def events(self) -> list[dict[str, Any]]:
        """Every event received, in order."""
        return [event for post in self.received for event in post.events]
