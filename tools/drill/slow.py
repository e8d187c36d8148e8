"""Slow clients: how long others wait for gunicorn alone, and for gunicorn behind nginx."""

import select
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.drill.report import Report, markdown
from tools.nginx import Nginx
from tools.servers import migrate
from tools.site import FORM, OURS, Site
from tools.wire import half_open, request

HEADERS = b"GET / HTTP/1.1\r\nHost: app.example.com\r\nX-Slow: "
BODY = request("POST", "/login", [*OURS, FORM, ("Content-Length", "1000")]) + b"email="
CROWDS = (
    ("slow clients", b"", 0),
    ("slow headers", HEADERS, 20),
    ("slow headers", HEADERS, 100),
    ("slow bodies", BODY, 60),
    ("slow bodies", BODY, 100),
)
PROBES = 20
PATIENCE = 2.0  # seconds that a probe waits
MOST = 0.1  # seconds that nobody may wait longer behind nginx
HANGS_UP = 15.0  # seconds after which nginx has hung up on the last slow client; its limit is 10
HEADINGS = ("before the app", "clients", "probes answered", "median", "slowest")


def run_all() -> Report:
    """Start gunicorn with its own settings, alone and behind nginx, and hold connections open."""
    lines: list[Sequence[object]] = []
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="slow-") as folder:
        url = f"sqlite:///{folder}/app.db"
        migrate(url)
        for kind, beginning, count in CROWDS:
            with Site(url, Path(folder) / "web.log") as alone:
                lines.append(
                    ("nothing", f"{count} {kind}", *_told(_probe(alone.port, beginning, count)))
                )
        with (
            Site(url, Path(folder) / "web.log", TRUSTED_PROXIES="1") as site,
            Nginx(site.port, Path(folder)) as nginx,
        ):
            for kind, beginning, count in CROWDS:
                waits = _probe(nginx.port, beginning, count)
                lines.append(("nginx", f"{count} {kind}", *_told(waits)))
                if len(waits) < PROBES or max(waits) > MOST:
                    missed.append(f"{count} {kind} make others wait behind nginx")
            for kind, beginning in (("slow headers", HEADERS), ("slow bodies", BODY)):
                if not _hangs_up(nginx.port, beginning):
                    missed.append(f"nginx waits for {kind} longer than {HANGS_UP:g} s")
    return Report(
        table=markdown(HEADINGS, lines),
        summary=f"{PROBES} probes a line, each given up after {PATIENCE:g} s",
        missed=missed,
    )


def _probe(port: int, beginning: bytes, count: int) -> list[float]:
    """The seconds that each probe waited, of those that got an answer."""
    waits = []
    for _ in range(PROBES):
        _wait_for_answer(port, request("GET", "/login", OURS))  # until every process is warm
    with half_open(port, beginning, count):
        time.sleep(0.5)  # until the server has taken them all
        for _ in range(PROBES):
            wait = _wait_for_answer(port, request("GET", "/login", OURS))
            if wait is not None:
                waits.append(wait)
    return sorted(waits)


def _wait_for_answer(port: int, data: bytes) -> float | None:
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            connection.sendall(data)
            return time.monotonic() - began if connection.recv(1) else None
    except (TimeoutError, ConnectionError):
        return None


def _told(waits: Sequence[float]) -> Sequence[object]:
    if not waits:
        return f"0 of {PROBES}", "-", "-"
    median = waits[len(waits) // 2]
    return f"{len(waits)} of {PROBES}", f"{median * 1000:.0f} ms", f"{waits[-1] * 1000:.0f} ms"


def _hangs_up(port: int, beginning: bytes) -> bool:
    with half_open(port, beginning, 1) as [client]:
        # There is something to read once it has answered or hung up.
        return bool(select.select([client], [], [], HANGS_UP)[0])
