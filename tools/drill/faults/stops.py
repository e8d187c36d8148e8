"""Stops, freezes, a poison email and a bad key, with real processes: what each may cost at most.

`make faults`; these take longer than a test should.
"""

import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tools.drill.clients import Clients, recipient
from tools.drill.faults.web import Start, received, send, settings, wait_for_states
from tools.drill.stack import TOKEN
from tools.processes import Process, wait_until
from tools.servers import Valkey
from tools.simulator_process import Simulator

STOPS = 5  # of the web process, and as many of the worker
STOP_WITHIN = 20.0  # seconds, the promise to whoever deploys
REFUSED = 1000  # emails


def calling_token(sqlite_url: str) -> str:
    """The lease under which the poison is being sent now; empty if it is not."""
    query = "SELECT lease_token FROM outbox WHERE recipient = ? AND calling_since IS NOT NULL"
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        found = connection.execute(query, ["hang@example.com"]).fetchone()
    return str(found[0]) if found else ""


def provider_state(url: str) -> str:
    """What the web process knows of the provider, in words."""
    words: str = requests.get(f"{url}/deliveryz", timeout=10).json()["providers"]["resend"]
    return words


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
        send(url, *people)
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
            send(url, *people)
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
        send(first, *everybody[place : place + 20])
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
    send(url, "hang@example.com", *innocent)  # its call stays open, and is killed with it
    tokens = {""}
    for _ in range(4):  # once in company, three times alone
        wait_until(lambda: calling_token(sqlite_url) not in tokens, "the poison to be in flight")
        tokens.add(calling_token(sqlite_url))
        web.kill()
        web, url = start_web(DATABASE_URL=sqlite_url, **patience)
    # Nobody can tell whether one of its calls was accepted.
    wait_for_states(url, {"accepted": 20, "unknown": 1})
    assert received(provider) == Counter(innocent)


def test_a_refused_key_fails_none_of_1000_emails_and_all_are_sent_once_it_is_mended(
    provider: Simulator, start_web: Start, sqlite_url: str
) -> None:
    web, url = start_web(DATABASE_URL=sqlite_url, RESEND_API_KEY="bad-key")
    with Clients([url], TOKEN, emails=REFUSED, per_second=100) as clients:
        wait_until(clients.done, f"{REFUSED} emails to be accepted", patience=120)
    wait_until(lambda: provider_state(url).startswith("paused"), "the refused key to be noticed")
    wait_for_states(url, {"queued": REFUSED})
    stop(web)
    _, url = start_web(DATABASE_URL=sqlite_url)
    wait_for_states(url, {"accepted": REFUSED}, patience=180)  # of which a pause takes 60
    assert received(provider) == Counter(recipient(number) for number in range(REFUSED))
