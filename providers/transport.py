"""The connections under the HTTP providers: authentication, TLS, pool, and the watch on time.

Only public hooks of requests and urllib3 are used, so test doubles for requests keep working.
"""

import socket
import ssl
import threading
from contextlib import suppress
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Self

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

USER_AGENT = "flask-email-starter/1.0"
CONNECT_TIMEOUT = 3.0  # seconds


def open_session(api_key: str, threads: int) -> requests.Session:
    """A session that keeps one connection for each sending thread and opens none yet."""

    def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {api_key}"
        return request

    session = requests.Session()
    session.auth = authorize  # not a session header, which a netrc entry would replace by Basic
    session.headers.update(
        {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # keep and send none
    adapter = _Adapter(pool_connections=1, pool_maxsize=threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


_current = threading.local()


class Exchange:
    """One call in progress: how far it came, and the watch on its total time.

    A read timeout alone starts anew with every byte, so a dripping answer would never end.
    `dialled` says whether a connection was asked for, `written` whether the request began to
    leave, `expired` whether the time is over. Raises `RuntimeError` if the machine has no thread
    left for the watch.
    """

    def __init__(self, seconds: float) -> None:
        self.dialled = self.written = self.expired = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._watch = threading.Timer(seconds, self._expire)
        self._watch.daemon = True
        self._watch.start()

    def __enter__(self) -> Self:
        _current.exchange = self
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        with self._lock:  # from here on the connection may serve another call
            self._socket = None
        _current.exchange = None

    def writes_to(self, connected: socket.socket | None) -> None:
        """The request is about to leave. Raises `TimeoutError` if the time is over already."""
        with self._lock:
            if self.expired:
                raise TimeoutError("connecting took all the time")
            self.written = True
            self._socket = connected

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    _connecting = False  # what a proxy is told meanwhile is no part of the request

    def connect(self) -> None:
        exchange = getattr(_current, "exchange", None)
        if exchange is not None:
            exchange.dialled = True
        self._connecting = True
        super().connect()
        self._connecting = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = getattr(_current, "exchange", None)
        if exchange is not None and not self._connecting:
            exchange.writes_to(self.sock)
        super().send(data)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


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


@cache
def _trust_also(bundle: str) -> None:
    # What REQUESTS_CA_BUNDLE names, a file or a folder.
    place = "capath" if Path(bundle).is_dir() else "cafile"
    _tls_context().load_verify_locations(**{place: bundle})


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
        # Always, by the shared context: a bundle named here would be loaded for each connection.
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None
        if isinstance(verify, str):
            _trust_also(verify)

    @staticmethod
    def _watch(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
