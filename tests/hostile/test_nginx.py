"""deploy/nginx.conf in a real nginx: what reaches the app through it, and what is logged of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tools.fixtures import StartSite
from tools.nginx import Nginx
from tools.processes import ROOT, free_port
from tools.site import FORM, HOST, JSON, OURS
from tools.wire import Header, chunked, exchange, half_open, request

KB = 1024
SECRET = "very-secret-token"


class Echo(ThreadingHTTPServer):
    """In the app's place: it tells what it was sent. `connections` counts who came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echoing)
        self.connections = 0

    def process_request(self, *arguments: Any) -> None:
        self.connections += 1
        super().process_request(*arguments)


class _Echoing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        told = {"path": self.path, "size": size, "headers": self.headers.items()}
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def echo() -> Iterator[Echo]:
    with Echo() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def app() -> Iterator[Echo]:
    with echo() as server:
        yield server


@pytest.fixture(scope="module")
def nginx(app: Echo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with Nginx(app.server_port, tmp_path_factory.mktemp("nginx")) as server:
        yield server


def ask(
    nginx: Nginx, method: str, path: str, *headers: Header, body: bytes | None = None
) -> tuple[int, dict[str, Any]]:
    """The status, and what the app was sent; {} if nginx answered by itself."""
    answer = exchange(nginx.port, request(method, path, [*OURS, *headers], body))
    from_app = answer.status == 200 and answer.body.startswith(b"{")
    return answer.status, json.loads(answer.body) if from_app else {}


BEGINNINGS = {
    "slow headers": b"GET / HTTP/1.1\r\nHost: app.example.com\r\nX-Slow: ",
    "slow bodies": request("POST", "/login", [*OURS, FORM, ("Content-Length", "1000")]) + b"a=",
    "slow chunks": request("POST", "/login", [*OURS, FORM, ("Transfer-Encoding", "chunked")])
    + b"5\r\nab",
}


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_of_a_hundred_slow_clients_none_reaches_the_app(nginx: Nginx, app: Echo, kind: str):
    before = app.connections
    with half_open(nginx.port, BEGINNINGS[kind], 100):
        assert ask(nginx, "GET", "/login")[0] == 200
        assert app.connections <= before + 1  # ours alone, on a new connection or one kept alive


def test_who_asks_and_for_what_is_said_by_nginx_alone(nginx: Nginx):
    forged = (
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Prefix", "X-Real-IP", "Forwarded",
    )  # fmt: skip
    _, seen = ask(nginx, "GET", "/", *((name, "evil.example") for name in forged))
    told = {name.lower(): value for name, value in seen["headers"]}
    assert len(told) == len(seen["headers"])
    assert "evil.example" not in told.values()
    assert {name: value for name, value in told.items() if "forwarded" in name} == {
        "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": HOST,
    }  # fmt: skip
    assert told["host"] == HOST


PATHS_WITH_A_TOKEN = (
    f"/reset-password?token={SECRET}", f"/confirm/{SECRET}", f"/unsubscribe/{SECRET}",
    f"//confirm//{SECRET}", f"/x/../confirm/{SECRET}", f"/%63onfirm/{SECRET}", f"/CONFIRM/{SECRET}",
    f"/static/style.css?token={SECRET}",
)  # fmt: skip


def test_no_token_is_logged_whatever_becomes_of_the_request(nginx: Nginx, tmp_path: Path):
    referer: Header = ("Referer", f"https://{HOST}/reset-password?token={SECRET}")
    with Nginx(free_port(), tmp_path) as before_nothing:
        for path in PATHS_WITH_A_TOKEN:
            assert ask(nginx, "GET", path, referer)[0] == 200
            assert ask(nginx, "POST", path, FORM, body=b"a" * 65 * KB)[0] in (405, 413)
            assert ask(before_nothing, "GET", path, referer)[0] in (200, 502)
            bad = request("GET", path, [*OURS, ("Content-Length", "x")])
            assert exchange(nginx.port, bad).status == 400
        logs = nginx.logs() + before_nothing.logs()
    assert "/reset-password" in logs
    assert "/confirm/***" in logs
    assert SECRET not in logs


def test_bodies_may_be_as_large_as_the_app_takes_them_and_no_larger(nginx: Nginx):
    for path, limit in (
        ("/login", 64 * KB),
        ("/api/send", 64 * KB),
        ("/api/webhooks/x", 1024 * KB),
    ):
        status, seen = ask(nginx, "POST", path, FORM, body=b"a" * limit)
        assert (path, status, seen["size"]) == (path, 200, limit)
        assert (path, ask(nginx, "POST", path, FORM, body=b"a" * (limit + 1))[0]) == (path, 413)
        head = request("POST", path, [*OURS, FORM, ("Transfer-Encoding", "chunked")])
        assert exchange(nginx.port, head + chunked(b"a" * (limit + 1))).status == 413
        assert exchange(nginx.port, head + chunked(b"a" * limit)).status == 200


def test_the_app_behind_it_knows_its_visitors_and_serves_what_nginx_does_not(
    start_site: StartSite, tmp_path: Path
):
    site = start_site(TRUSTED_PROXIES="1", RATELIMIT_ENABLED="true", RATELIMIT_FORM="2/minute")
    with Nginx(site.port, tmp_path) as nginx:

        def status(method: str, path: str, *headers: Header, body: bytes | None = None) -> int:
            return exchange(nginx.port, request(method, path, [*OURS, *headers], body)).status

        forged = [
            status("POST", "/login", FORM, ("X-Forwarded-For", f"10.0.0.{n}"), body=b"a=b")
            for n in range(3)
        ]
        assert forged == [400, 400, 429]
        assert status("POST", "/api/webhooks/stripe", JSON, body=b"{" * 1024 * KB) == 400
        ready = exchange(nginx.port, request("GET", "/readyz", OURS))
        assert json.loads(ready.body) == {"status": "ok"}
        assert status("GET", "/metrics") == 401
        style = exchange(nginx.port, request("GET", "/static/style.css", OURS))
        assert style.body == (ROOT / "static" / "style.css").read_bytes()
        assert status("GET", "/static/nothing.css") == 404
        page = exchange(nginx.port, request("GET", "/login", OURS))
        assert (page.status, page.header("Server")) == (200, "nginx")
        assert page.header("X-Frame-Options") == "DENY"
        for path in ("/static/../config.py", "/static/..%2fconfig.py"):
            assert (path, status("GET", path)) == (path, 404)
