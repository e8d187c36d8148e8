"""The database is locked or down: nothing is accepted, and what comes again has one effect."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from tests.hostile.conftest import StartSite
from tests.hostile.events import checkout, post_event
from tests.hostile.site import Site
from tests.hostile.wire import Answer
from tests.outages import down, locked
from tests.processes import wait_until

Outage = tuple[Site, Callable[[], AbstractContextManager[None]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def outage(request: pytest.FixtureRequest, start_site: StartSite) -> Outage:
    """A site and how to take its database away: locked by somebody, or down."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return start_site(url), (lambda: locked(url)) if "sqlite" in url else (lambda: down(url))


def test_while_the_database_is_away_nothing_is_accepted_and_afterwards_everything_once(
    outage: Outage,
):
    site, take_away = outage
    event = checkout("ann@example.com")
    ann = {"email": "ann@example.com", "name": "Ann"}
    key = ("Idempotency-Key", "while-away")
    doors: list[Callable[[], Answer]] = [
        lambda: post_event(site, event),
        lambda: site.post_json("/api/send", ann, key),
        lambda: site.post_json("/api/signup", ann),
    ]
    with site.stores(), take_away(), ThreadPoolExecutor(len(doors)) as pool:
        refused = [each.result() for each in [pool.submit(door) for door in doors]]
    assert [answer.status for answer in refused] == [503] * len(doors)
    assert all(int(answer.header("Retry-After") or 0) > 0 for answer in refused)
    with site.stores(events=1, outbox=4, users=1):
        # Each process may find one dead connection first.
        for door in doors:
            wait_until(lambda door=door: door().status < 300, "recovery")  # type: ignore[misc]
        assert post_event(site, event).status == 200
