"""The connections under the HTTP providers: authentication, TLS, pool, and the watch on time.

Only public hooks of requests and urllib3 are used, so test doubles for requests keep working.
"""

import socket
import ssl
import threading
from contextlib import suppress
from functools import cache
from typing import Any, Self

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

USER_AGENT = "flask-email-starter/1.0"
CONNECT_TIMEOUT = 3.0  # seconds


def open_session(api_key: str, threads: int) -> requests.Session:
    """A session that keeps one connection for each sending thread and opens none yet."""
    session = requests.Session()
    session.auth = _Bearer(api_key)
    session.headers.update(
        {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
    )
    adapter = _Adapter(pool_connections=1, pool_maxsize=threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Bearer(AuthBase):
    # An auth object, not a session header: a netrc entry would replace the header by Basic.
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


_current = threading.local()


class Exchange:
    """One call in progress: whether anything was written, and the watch on its total time.

    A read timeout alone starts anew with every byte, so a dripping answer would never end.
    """

    def __init__(self, seconds: float) -> None:
        self.written = False
        self.expired = False
        self.socket: socket.socket | None = None
        self._watch = threading.Timer(seconds, self._expire)
        self._watch.daemon = True

    def __enter__(self) -> Self:
        _current.exchange = self
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        self.socket = None
        _current.exchange = None

    def _expire(self) -> None:
        self.expired = True
        if self.socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


def _note_first_byte(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    exchange = getattr(_current, "exchange", None)
    if exchange is not None:
        exchange.written = True
        exchange.socket = connection.sock


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        _note_first_byte(self)
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        _note_first_byte(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


@cache
def _tls_context() -> ssl.SSLContext:
    # Shared by all connections: parsing the CA bundle costs more than the handshake.
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class _Adapter(HTTPAdapter):
    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        super().init_poolmanager(
            connections, maxsize, block=block, ssl_context=_tls_context(), **kwargs
        )
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=_tls_context(), **kwargs)
        self._watch(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        if verify is True:  # the shared context verifies; naming the bundle would load it again
            conn.cert_reqs = "CERT_REQUIRED"
        else:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # stubs

    @staticmethod
    def _watch(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
