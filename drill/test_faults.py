"""Stops, freezes and a poison email, with real processes: what each may cost, and no more.

`make faults`; these take longer than a test should.
"""

import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from tests.commands.conftest import PRODUCTION
from tests.processes import Process, free_port, wait_until
from tests.servers import Valkey
from tests.simulator.process import Simulator

Start = Callable[..., tuple[Process, str]]
STOPS = 5  # of the web process, and as many of the worker
STOP_WITHIN = 20.0  # seconds, the promise to whoever deploys


@pytest.fixture
def provider(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A provider that answers after 100 ms; its options come from the test."""
    options = ["--latency-ms", "100", *getattr(request, "param", [])]
    with Simulator(tmp_path / "simulator.jsonl", options) as simulator:
        yield simulator


@pytest.fixture
def start_web(provider: Simulator, tmp_path: Path) -> Iterator[Start]:
    """`start_web(DATABASE_URL=…)`: gunicorn with one worker, and its address."""
    with ExitStack() as stack:

        def start(**variables: str) -> tuple[Process, str]:
            port = free_port()
            command = ["gunicorn", "app:app", "-w", "1", "--bind", f"127.0.0.1:{port}"]
            process = Process(command, settings(provider, **variables), tmp_path / f"{port}.log")
            stack.enter_context(process)
            url = f"http://127.0.0.1:{port}"
            process.wait_for_http(f"{url}/healthz")
            return process, url

        yield start


def settings(provider: Simulator, **more: str) -> dict[str, str]:
    return PRODUCTION | {
        "RESEND_BASE_URL": provider.url,
        "RATELIMIT_ENABLED": "false",
        "EMAIL_TIMEOUT": "1",
        "EMAIL_LEASE": "2",
        "EMAIL_SWEEP": "0.5",
        **more,
    }


def sign_up(url: str, *addresses: str) -> None:
    for address in addresses:
        body = {"name": "Ann", "email": address}
        assert requests.post(f"{url}/api/signup", json=body, timeout=30).status_code == 201


def states(url: str) -> dict[str, int]:
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    counts = {
        line.split('"')[1]: int(float(line.split()[-1]))
        for line in lines
        if line.startswith("outbox_emails{")
    }
    return {state: count for state, count in counts.items() if count}


def wait_for_states(url: str, expected: dict[str, int]) -> None:
    wait_until(lambda: states(url) == expected, f"the outbox to hold {expected}")


def calling_token(sqlite_url: str) -> str:
    """The lease under which the poison is being sent now; empty if it is not."""
    query = "SELECT lease_token FROM outbox WHERE recipient = ? AND calling_since IS NOT NULL"
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        found = connection.execute(query, ["hang@example.com"]).fetchone()
    return str(found[0]) if found else ""


def received(provider: Simulator) -> Counter[str]:
    return Counter(record["to"][0] for record in provider.accepted())


def stop(process: Process) -> None:
    began = time.monotonic()
    assert process.terminate() == 0
    assert time.monotonic() - began < STOP_WITHIN


@pytest.mark.parametrize("provider", [["--ignore-keys"]], indirect=True)
def test_a_web_process_stopped_under_load_doubles_and_loses_nothing(
    provider: Simulator, start_web: Start, sqlite_url: str
) -> None:
    web, url = start_web(DATABASE_URL=sqlite_url)
    everybody: list[str] = []
    for round_ in range(STOPS):
        people = [f"user{round_}-{number}@example.com" for number in range(12)]
        sign_up(url, *people)
        everybody += people
        stop(web)
        web, url = start_web(DATABASE_URL=sqlite_url)
    wait_for_states(url, {"accepted": len(everybody)})
    assert received(provider) == Counter(everybody)


@pytest.mark.parametrize("provider", [["--ignore-keys"]], indirect=True)
def test_a_worker_stopped_under_load_doubles_and_loses_nothing(
    provider: Simulator, start_web: Start, postgresql_url: str, valkey: Valkey, tmp_path: Path
) -> None:
    celery = {
        "DATABASE_URL": postgresql_url,
        "EMAIL_DELIVERY": "celery",
        "REDIS_URL": valkey.url,
    }
    _, url = start_web(**celery)
    everybody: list[str] = []
    command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
    for round_ in range(STOPS):
        people = [f"user{round_}-{number}@example.com" for number in range(12)]
        log = tmp_path / f"worker{round_}.log"
        with Process(command, settings(provider, **celery), log) as worker:
            worker.wait_for_output("ready.")
            sign_up(url, *people)
            everybody += people
            stop(worker)
    with Process(command, settings(provider, **celery), tmp_path / "worker.log"):
        wait_for_states(url, {"accepted": len(everybody)})
    assert received(provider) == Counter(everybody)


def test_a_process_frozen_beyond_its_lease_doubles_nothing_where_keys_are_honoured(
    provider: Simulator, start_web: Start, postgresql_url: str
) -> None:
    frozen, first = start_web(DATABASE_URL=postgresql_url)
    _, second = start_web(DATABASE_URL=postgresql_url)
    everybody = [f"user{number}@example.com" for number in range(60)]
    for place in range(0, 60, 20):
        sign_up(first, *everybody[place : place + 20])
        os.killpg(frozen.process.pid, signal.SIGSTOP)
        time.sleep(5)  # the fault itself: a freeze of more than two leases
        os.killpg(frozen.process.pid, signal.SIGCONT)
    wait_for_states(second, {"accepted": 60})
    assert received(provider) == Counter(everybody)


def test_an_email_that_kills_its_process_ends_alone_and_the_others_are_sent(
    provider: Simulator, start_web: Start, sqlite_url: str
) -> None:
    patience = {"EMAIL_TIMEOUT": "3", "EMAIL_LEASE": "6"}  # so that the kill comes first
    web, url = start_web(DATABASE_URL=sqlite_url, **patience)
    innocent = [f"user{number}@example.com" for number in range(20)]
    sign_up(url, "hang@example.com", *innocent)  # its call stays open, and is killed with it
    tokens = {""}
    for _ in range(4):  # once in company, three times alone
        wait_until(lambda: calling_token(sqlite_url) not in tokens, "the poison to be in flight")
        tokens.add(calling_token(sqlite_url))
        web.kill()
        web, url = start_web(DATABASE_URL=sqlite_url, **patience)
    wait_for_states(url, {"accepted": 20, "failed": 1})
    assert received(provider) == Counter(innocent)
