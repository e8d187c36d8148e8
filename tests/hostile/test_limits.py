"""Rate limits over four processes: exact while Redis counts, and no 500 while it is away."""

import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select

from message import new_id
from outbox import OutboxEmail
from tools.processes import wait_until
from tools.servers import Valkey
from tools.simulator_process import Simulator
from tools.site import JSON, Site

pytestmark = pytest.mark.slow

WORKERS = 4
LIMIT = 5
NAMES = ("X-Forwarded-For", "X-Real-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP")


@pytest.fixture(scope="module")
def redis_of_ours() -> Iterator[Valkey]:
    """A Valkey that a test may kill."""
    with Valkey() as server:
        yield server


@pytest.fixture(scope="module")
def counting_site(
    redis_of_ours: Valkey,
    migrated_sqlite: Path,
    simulator_process: Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Four workers that count in Redis."""
    folder = tmp_path_factory.mktemp("limits")
    shutil.copy(migrated_sqlite, folder / "app.db")
    variables = {
        "RESEND_BASE_URL": simulator_process.url,
        "WEB_CONCURRENCY": str(WORKERS),
        "RATELIMIT_ENABLED": "true",
        "RATELIMIT_FORM": f"{LIMIT}/hour",
        "REDIS_URL": redis_of_ours.url,
    }
    with Site(f"sqlite:///{folder / 'app.db'}", folder / "web.log", **variables) as site:
        yield site
        site.check_log()


def post(site: Site, path: str, number: int) -> int:
    """The status of one post, which claims to come from somewhere else each time."""
    forged = [(name, f"10.1.{number // 250}.{number % 250}") for name in NAMES]
    body = b'{"email": "nobody@example.com", "name": "Ann"}'
    return site.send("POST", path, [JSON, *forged], body).status


def post_many(
    site: Site, path: str, numbers: range, before: Mapping[int, Callable[[], object]]
) -> Counter[int]:
    """The statuses of posts from 16 clients at once; `before[n]` runs ahead of number n."""

    def one(number: int) -> int:
        before.get(number, bool)()
        return post(site, path, number)

    with ThreadPoolExecutor(16) as pool:
        return Counter(pool.map(one, numbers))


def test_four_workers_let_exactly_the_limit_through_and_a_new_worker_counts_on(
    counting_site: Site,
):
    def workers() -> list[str]:
        return re.findall(r"Booting worker with pid: (\d+)", counting_site.process.output())

    statuses = post_many(counting_site, "/api/password-reset", range(60), {})
    os.kill(int(workers()[0]), signal.SIGTERM)  # as gunicorn itself does after max_requests
    wait_until(lambda: len(workers()) > WORKERS, "a worker in its place")
    statuses += post_many(counting_site, "/api/password-reset", range(60, 120), {})
    assert statuses == {202: LIMIT, 429: 120 - LIMIT}


def test_no_answer_is_a_500_while_redis_is_frozen_or_dead(
    counting_site: Site, redis_of_ours: Valkey
):
    tell = redis_of_ours.tell
    events = {
        100: partial(tell, signal.SIGSTOP),
        300: partial(tell, signal.SIGCONT),
        400: partial(tell, signal.SIGKILL),
    }
    statuses = post_many(counting_site, "/api/signup", range(600), events)
    assert set(statuses) == {201, 429}, statuses


def test_without_redis_an_address_gets_exactly_what_it_may(site: Site):
    address = f"{new_id()}@example.com"
    assert site.post_json("/api/signup", {"email": address, "name": "Ann"}).status == 201
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(
            lambda _: site.post_json("/api/password-reset", {"email": address}).status, range(32)
        )
        assert set(answers) == {202}
    site.rows()  # once what was asked is answered
    mine = select(OutboxEmail.state).where(OutboxEmail.recipient == address)
    with site.engine.connect() as connection:
        states = Counter(connection.scalars(mine))
    assert states["suppressed"] == 32 - 3
    assert states.total() == 1 + 32
