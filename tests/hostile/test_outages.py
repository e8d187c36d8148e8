"""The database is locked or down: nothing is accepted, and what comes again has one effect."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from tests.hostile.events import SENDERS, sender
from tools.fixtures import StartSite
from tools.outages import down, locked
from tools.processes import wait_until
from tools.site import Site
from tools.wire import WireAnswer

pytestmark = pytest.mark.slow

Outage = tuple[Site, Callable[[], AbstractContextManager[None]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def outage(request: pytest.FixtureRequest, start_site: StartSite) -> Outage:
    """A site and how to take its database away: locked by somebody, or down."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    site = start_site(url, GUNICORN_CMD_ARGS="--threads 8")  # one for each door
    return site, (lambda: locked(url)) if "sqlite" in url else (lambda: down(url))


def test_while_the_database_is_away_nothing_is_accepted_and_afterwards_everything_once(
    outage: Outage,
):
    site, take_away = outage
    email_id = site.send_email("bob@example.com")
    webhooks = [sender(site, name, email_id) for name in SENDERS]
    ann = {"email": "ann@example.com", "name": "Ann"}
    key = ("Idempotency-Key", "while-away")
    doors: list[Callable[[], WireAnswer]] = [
        *webhooks,
        lambda: site.post_json("/api/send", ann, key),
        lambda: site.post_json("/api/signup", ann),
    ]
    with site.stores(), take_away(), ThreadPoolExecutor(len(doors)) as pool:
        refused = [each.result() for each in [pool.submit(door) for door in doors]]
    assert [answer.status for answer in refused] == [503] * len(doors)
    assert all(int(answer.header("Retry-After") or 0) > 0 for answer in refused)
    with site.stores(events=len(SENDERS), outbox=3, signups=1):
        # Each process may find one dead connection first.
        for door in doors:
            wait_until(lambda door=door: door().status < 300, "recovery")  # type: ignore[misc]
        assert [deliver().status for deliver in webhooks] == [200] * len(SENDERS)
    lines = Counter(site.timeline(email_id))
    assert (lines["opened"], lines["clicked"]) == (1, 1)
