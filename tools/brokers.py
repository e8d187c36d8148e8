"""Redis as it fails: refused, stopped, silent or full; and what accepting costs meanwhile."""

import math
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tools.processes import free_port
from tools.servers import Valkey
from tools.site import Site

Broker = Callable[[], AbstractContextManager[str]]


@contextmanager
def refused() -> Iterator[str]:
    """Nobody listens."""
    yield f"redis://127.0.0.1:{free_port()}/0"


@contextmanager
def stopped() -> Iterator[str]:
    """A real Valkey that was stopped: the kernel still takes connections for it."""
    with Valkey() as valkey, valkey.frozen():
        yield valkey.url


@contextmanager
def silent() -> Iterator[str]:
    """Connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@contextmanager
def full() -> Iterator[str]:
    """The queue of connections is full: the handshake itself is never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


BROKERS: tuple[Broker, ...] = (refused, stopped, silent, full)


def settings(url: str, emails: int) -> dict[str, str]:
    """A site that sends through the broker at `url`, and counts in it who may send so many."""
    return {
        "EMAIL_DELIVERY": "celery",
        "REDIS_URL": url,
        "RATELIMIT_ENABLED": "true",
        "RATELIMIT_SEND": f"{emails}/minute",
    }


def accept(site: Site, emails: int) -> list[float]:
    """Have the site accept so many emails, one after the other; the seconds that each took."""
    times = []
    with site.stores(outbox=emails):
        for number in range(emails):
            body = {"email": f"user{number}@example.com", "name": "Ann"}
            started = time.monotonic()
            assert site.post_json("/api/send", body).status == 202
            times.append(time.monotonic() - started)
    site.check_log()
    return times


def in_words(times: Sequence[float]) -> str:
    """The figures of `accept` for a person."""
    ordered = sorted(1000 * each for each in times)
    p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return (
        f"{len(ordered)} accepted, median {statistics.median(ordered):.0f} ms, "
        f"p99 {p99:.0f} ms, worst {ordered[-1]:.0f} ms"
    )
