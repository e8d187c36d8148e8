"""A copy of a production database writes to nobody whom production has queued. On both databases.

`test_delivery.py` shows the same with real processes, whoever delivers.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from database import transaction, utc_now
from outbox.delivery import deliver, deliver_quarantined, finish
from outbox.hosts import adopt, log_waiting, waiting
from outbox.readiness import flow
from outbox.tables import OutboxBatch, OutboxRow, State
from tests.conftest import MakeApp
from tests.outbox.engines import settings
from tests.outbox.rows import change, claim, queue, row, story
from tools.simulator_process import Simulator

MOVED = {"app.example.com": 6}
"""What `leave_a_backlog` leaves: five emails, and a batch."""


@pytest.fixture
def production(make_app: MakeApp, database_url: str, simulator: Simulator) -> Flask:
    return an_app(make_app, database_url, simulator, "https://app.example.com")


@pytest.fixture
def staging(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    app = an_app(make_app, database_url, simulator, "https://staging.example.com")
    with app.app_context():
        yield app


def an_app(make_app: MakeApp, url: str, simulator: Simulator, app_url: str) -> Flask:
    own = settings(EMAIL_PROVIDER="resend", EMAIL_BATCH="true", EMAIL_LEASE="40")
    own |= {"DATABASE_URL": url, "RESEND_BASE_URL": simulator.url, "APP_URL": app_url}
    return make_app(**own)


def leave_a_backlog(production: Flask) -> list[str]:
    """Whatever can wait: a batch whose answer got lost, emails that would form one, and one with
    which a worker died."""
    with production.app_context():
        ids = [queue(to=f"{each}@example.com") for each in ("drop-after-accept-1", "bob")]
        finish(claim(5))
        ids += [queue(to=f"{each}@example.com") for each in ("ann", "cem", "eve")]
        change(ids[-1], quarantined=True)
        make_due()
    return ids


def make_due() -> None:
    with transaction() as session:
        for each in session.query(OutboxRow):
            each.due_at = utc_now() - timedelta(minutes=5)


def states(ids: list[str]) -> set[str]:
    with transaction() as session:
        return {session.get_one(OutboxRow, each).state for each in ids}


def reached(simulator: Simulator) -> list[str]:
    return sorted(each for record in simulator.accepted() for each in record["to"])


def test_what_another_host_made_is_left_alone(
    production: Flask, staging: Flask, simulator: Simulator
):
    ids = leave_a_backlog(production)
    before = reached(simulator)
    own = queue(to="own@example.com")
    finish(claim(50))
    assert (deliver(*ids), deliver_quarantined()) == (0, False)
    assert (states(ids), row(own).state) == ({State.QUEUED}, State.ACCEPTED)
    assert reached(simulator) == sorted([*before, "own@example.com"])
    with transaction() as session:
        assert waiting(session) == MOVED
    assert (flow().other_hosts, flow().problem, flow().due["transactional"]) == (MOVED, None, 0)


def test_adopted_it_is_delivered_each_once(production: Flask, staging: Flask, simulator: Simulator):
    ids = leave_a_backlog(production)
    with transaction() as session:
        assert sum(adopt(session, "app.example.com", by="in a test")) == MOVED["app.example.com"]
        assert waiting(session) == {}
    finish(claim(50))
    assert deliver_quarantined()
    assert states(ids) == {State.ACCEPTED}
    assert reached(simulator) == [
        f"{each}@example.com" for each in ("ann", "bob", "cem", "drop-after-accept-1", "eve")
    ]
    with transaction() as session:
        assert session.query(OutboxBatch).count() == 0
    assert ("adopted", "from app.example.com in a test") in story(ids[2])


def test_adopting_goes_on_in_batches_and_takes_all_that_may_still_be_sent(
    production: Flask, staging: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.hosts.BATCH", 2)
    with production.app_context():
        ids = [queue() for _ in range(7)]
        for each, state in zip(ids[3:], ("sending", "unknown", "failed", "accepted"), strict=True):
            change(each, state=state)
    with transaction() as session:
        assert list(adopt(session, "app.example.com", by="in a test")) == [2, 1, 1, 1, 1]
    assert [row(each).host for each in ids] == [*["staging.example.com"] * 6, "app.example.com"]


def test_every_name_of_this_machine_is_one_host(
    make_app: MakeApp, staging: Flask, database_url: str, simulator: Simulator
):
    with an_app(make_app, database_url, simulator, "http://localhost:5000").app_context():
        queue()
    with an_app(make_app, database_url, simulator, "http://127.0.0.1:8000").app_context():
        assert len(claim(5)) == 1
        queue()
    with transaction() as session:
        assert waiting(session) == {"localhost": 1}


def test_the_log_says_at_the_start_what_stays_and_what_to_do(
    production: Flask, staging: Flask, caplog: pytest.LogCaptureFixture
):
    log_waiting()
    assert caplog.messages == []
    with production.app_context():
        queue()
    log_waiting()
    assert caplog.messages == [
        "1 queued emails and changes stay here: app.example.com made them, and this is "
        "staging.example.com (to send them: flask email adopt --from https://app.example.com)"
    ]
