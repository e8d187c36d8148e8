"""The connections under the HTTP providers: authentication, TLS, pool, and what is reused.

Only public hooks of requests and urllib3 are used, so test doubles for requests keep working.
"""

import os
import socket
import ssl
from collections.abc import Mapping
from functools import cache, cached_property
from http.cookiejar import DefaultCookiePolicy
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from providers.deadline import current_exchange

USER_AGENT = "flask-email-starter/1.0"
CONNECT_TIMEOUT = 3.0  # seconds
LONGEST_IDLE = 20.0  # seconds; what stands between may have forgotten an older connection
MOST_CONNECTIONS = 512  # kept open; there are never more than there were calls at once

_SESSION_METHODS = (requests.Session.request, requests.Session.send)


class Channel:
    """The way to the API at `base_url`, with a pool of connections and none open yet."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._base_url = base_url
        self._headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {api_key}",
        }
        self._session = requests.Session()
        self._session.auth = lambda request: request  # else a netrc entry replaces the header
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # keep none
        adapter = _Adapter(pool_connections=1, pool_maxsize=MOST_CONNECTIONS)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> requests.Response:
        """One call; what it raises are errors of requests, urllib3 or the system.

        `Session.request` would spend twice as long to prepare the same request, and read the
        environment each time. It is called where something (a test double, a tracer) has taken
        its place or that of `Session.send`.
        """
        url, given = self._url + path, {**self._headers, **headers}
        timeouts = (min(CONNECT_TIMEOUT, timeout), timeout)
        if self._is_replaced():
            return self._session.request(
                method,
                url,
                data=body,
                headers=given,
                timeout=timeouts,
                allow_redirects=False,
                stream=True,
            )
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, body or None
        if body:
            given["Content-Length"] = str(len(body))
        request.headers = CaseInsensitiveDict(given)
        adapter = self._session.get_adapter(url)
        return adapter.send(request, timeout=timeouts, **self._environment)

    def _is_replaced(self) -> bool:
        used = (self._session.request, self._session.send)
        return tuple(getattr(method, "__func__", None) for method in used) != _SESSION_METHODS

    @cached_property
    def _url(self) -> str:
        prepared = requests.Request("POST", self._base_url).prepare()
        return str(prepared.url).rstrip("/")

    @cached_property
    def _environment(self) -> dict[str, Any]:
        """The proxies and the bundle of certificates that the environment names."""
        settings = self._session.merge_environment_settings(self._url, {}, True, None, None)
        return dict(settings)


class _Connection(HTTPConnection):
    _connecting = False  # what a proxy is told meanwhile is no part of the request
    _process = 0
    _used = -inf

    @property
    def is_connected(self) -> bool:
        """Whether it may serve another call; the pool asks before each.

        A NAT drops what was idle without a word, and the answer to a call would never come. After
        a fork the parent uses the same socket.
        """
        is_fresh = monotonic() - self._used < LONGEST_IDLE and self._process == os.getpid()
        return is_fresh and super().is_connected

    def connect(self) -> None:
        exchange = current_exchange()
        if exchange is not None:
            exchange.dialled = True
        self._connecting = True
        super().connect()
        self._connecting = False
        self._process = os.getpid()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = current_exchange()
        if exchange is not None and not self._connecting:
            exchange.writes_to(self.sock)
        super().send(data)
        self._used = monotonic()


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


def _pool_options() -> dict[str, Any]:
    keep_alive = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = [*HTTPConnection.default_socket_options, keep_alive]
    return {"ssl_context": _tls_context(), "socket_options": options}


class _Adapter(HTTPAdapter):
    _pool: Any = None

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        # It serves one API, to which one pool leads.
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*arguments, **options)
        return self._pool

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block=block, **_pool_options(), **kwargs)
        self._use_our_connections(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **_pool_options(), **kwargs)
        self._use_our_connections(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        # Always, by the shared context: a bundle named here would be loaded for each connection.
        conn.cert_reqs, conn.ca_certs, conn.ca_cert_dir = "CERT_REQUIRED", None, None
        if isinstance(verify, str):
            _trust_also(verify)

    @staticmethod
    def _use_our_connections(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
