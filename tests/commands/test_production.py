"""gunicorn, a Celery worker, PostgreSQL and Valkey together, with kills and stops in the middle."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tools.outages import away
from tools.processes import PRODUCTION, Process, free_port, wait_until
from tools.servers import Valkey
from tools.simulator_process import Simulator

pytestmark = pytest.mark.slow

SIGN_UPS = 200


@pytest.fixture
def slow_simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A provider that takes a while, so that a kill finds calls in flight."""
    with Simulator(tmp_path / "simulator.jsonl", ["--latency-ms", "50"]) as simulator:
        yield simulator


def settings(simulator: Simulator, database_url: str, **more: str) -> dict[str, str]:
    return PRODUCTION | {
        "RESEND_BASE_URL": simulator.url,
        "DATABASE_URL": database_url,
        "RATELIMIT_ENABLED": "false",
        "SIGNUPS_PER_DOMAIN": "0",
        "API_TOKEN": "a-token-of-these-tests",
        "EMAIL_TIMEOUT": "2",
        "EMAIL_LEASE": "5",
        "EMAIL_SWEEP": "1",
        **more,
    }


def sign_up(url: str, address: str) -> int:
    body = {"name": "Ann", "email": address}
    return requests.post(f"{url}/api/signup", json=body, timeout=30).status_code


def test_200_sign_ups_give_200_welcome_emails_each_once_though_the_worker_is_killed(
    slow_simulator: Simulator, postgresql_url: str, valkey: Valkey, tmp_path: Path
):
    variables = settings(
        slow_simulator, postgresql_url, EMAIL_DELIVERY="celery", REDIS_URL=valkey.url
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["gunicorn", "app:app", "-w", "4", "--bind", f"127.0.0.1:{port}"]
    worker_command = ["celery", "-A", "tasks", "worker", "--loglevel=info"]
    addresses = [f"user{number}@example.com" for number in range(SIGN_UPS)]
    with (
        Process(command, variables, tmp_path / "web.log") as web,
        Process(worker_command, variables, tmp_path / "worker.log") as worker,
    ):
        web.wait_for_http(f"{url}/healthz")
        worker.wait_for_output("ready.")
        with ThreadPoolExecutor(8) as pool:
            before = pool.map(lambda address: sign_up(url, address), addresses[::2])
            wait_until(lambda: len(slow_simulator.accepted()) > 20, "the first emails")
            worker.kill()
            after = pool.map(lambda address: sign_up(url, address), addresses[1::2])
            assert {*before, *after} == {201}
        worker.start()
        wait_until(lambda: len(slow_simulator.accepted()) >= SIGN_UPS, "all emails", 180)
        wait_until(lambda: _states(url)["accepted"] == SIGN_UPS, "all rows accepted", 180)
    received = Counter(record["to"][0] for record in slow_simulator.accepted())
    assert received == Counter(addresses)


def test_a_stopping_web_process_finishes_the_emails_in_flight(
    slow_simulator: Simulator, sqlite_url: str, tmp_path: Path
):
    variables = settings(slow_simulator, sqlite_url, EMAIL_TIMEOUT="20", EMAIL_LEASE="40")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["gunicorn", "app:app", "-w", "1", "--bind", f"127.0.0.1:{port}"]
    with Process(command, variables, tmp_path / "web.log") as web:
        web.wait_for_http(f"{url}/healthz")
        assert sign_up(url, "slow-3000@example.com") == 201
        wait_until(lambda: bool(slow_simulator.accepted()), "the call to begin")
        assert web.terminate() == 0
    [record] = slow_simulator.accepted()
    assert record["id"] in web.output()  # the yes was recorded, so nobody repeats it


def test_no_web_process_is_replaced_while_it_keeps_an_answer_for_a_database_that_is_away(
    slow_simulator: Simulator, postgresql_url: str, tmp_path: Path
):
    """SendGrid knows no repeat: an answer that is lost would be an `unknown` email."""
    sendgrid = {
        "EMAIL_PROVIDER": "sendgrid",
        "SENDGRID_API_KEY": "SG.x",
        "SENDGRID_BASE_URL": slow_simulator.url,
    }
    variables = settings(slow_simulator, postgresql_url, **sendgrid)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    address = f"--bind 127.0.0.1:{port}"
    command = f"gunicorn app:app -w 1 {address} --max-requests 20 --max-requests-jitter 0"
    with Process(command.split(), variables, tmp_path / "web.log") as web:
        web.wait_for_http(f"{url}/healthz")
        assert sign_up(url, "slow-1000@example.com") == 201
        wait_until(lambda: bool(slow_simulator.accepted()), "the call to begin")
        with away(postgresql_url):
            web.wait_for_output("the engine cannot use the database")
            for _ in range(30):
                requests.get(f"{url}/healthz", timeout=30)
            assert "Autorestarting" not in web.output()
        [record] = slow_simulator.accepted()
        web.wait_for_output(f"message_id={record['id']}")
        for _ in range(20):
            requests.get(f"{url}/healthz", timeout=30)
        web.wait_for_output("Autorestarting")


def _states(url: str) -> dict[str, int]:
    text = requests.get(f"{url}/metrics", timeout=10).text
    lines = [line for line in text.splitlines() if line.startswith("outbox_emails{")]
    counts = {line.split('"')[1]: int(float(line.split()[-1])) for line in lines}
    return {state: count for state, count in counts.items() if count}
