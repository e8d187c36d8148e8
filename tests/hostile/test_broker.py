"""Accepting while Redis is refused, stopped, silent or full: every request 202, and none waits."""

import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from redis import Redis

from tests.hostile.conftest import StartSite
from tests.processes import free_port
from tests.servers import Valkey

REQUESTS = 50
BLOCKED = 0.5  # seconds that a broker with our timeouts costs whoever waits for it
Broker = Callable[[], Iterator[str]]


def refused() -> Iterator[str]:
    """Nobody listens."""
    yield f"redis://127.0.0.1:{free_port()}/0"


def stopped() -> Iterator[str]:
    """A real Valkey that was stopped: the kernel still takes connections for it."""
    with Valkey() as valkey, Redis.from_url(valkey.url) as client:
        process_id = client.info()["process_id"]
        os.kill(process_id, signal.SIGSTOP)
        yield valkey.url
        os.kill(process_id, signal.SIGCONT)


def silent() -> Iterator[str]:
    """Connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def full() -> Iterator[str]:
    """The queue of connections is full: the handshake itself is never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@pytest.mark.parametrize("broker", [refused, stopped, silent, full])
def test_a_broker_that_fails_costs_no_email_and_next_to_no_time(
    start_site: StartSite, broker: Broker, capsys: pytest.CaptureFixture[str]
):
    with contextmanager(broker)() as url:
        site = start_site(
            EMAIL_DELIVERY="celery",
            REDIS_URL=url,
            RATELIMIT_ENABLED="true",
            RATELIMIT_SEND=f"{REQUESTS}/minute",
        )
        times = []
        with site.stores(outbox=REQUESTS):
            for number in range(REQUESTS):
                body = {"email": f"user{number}@example.com", "name": "Ann"}
                started = time.monotonic()
                assert site.post_json("/api/send", body).status == 202
                times.append(time.monotonic() - started)
        site.check_log()
    with capsys.disabled():
        worst, middle = max(times) * 1000, statistics.median(times) * 1000
        sys.stdout.write(f" {broker.__name__}: median {middle:.0f} ms, worst {worst:.0f} ms ")
    assert sum(times) < REQUESTS * BLOCKED
