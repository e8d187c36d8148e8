"""Emails with which a worker died: claimed alone, and given up after three deaths alone."""

import threading
from datetime import timedelta

import pytest
from flask import Flask

import outbox
from database import utc_now
from email_service import EmailService
from outbox.delivery import deliver_quarantined, lock
from outbox.shared_lock import SharedLock
from outbox.sweep import sweep
from outbox.tables import State
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings
from tests.outbox.rows import answer, change, claim, ids_of, queue, row, yes
from tools.processes import PATIENCE, wait_until


def die_with(email_id: str) -> None:
    """What a SIGKILL in the middle of a call leaves, once the lease has run out."""
    past = utc_now() - timedelta(seconds=1)
    change(
        email_id, state=State.SENDING, lease_until=past, lease_token="dead",
        provider="resend", calling_since=past,
    )  # fmt: skip
    sweep()


def test_a_suspect_is_not_claimed_with_others(app: Flask):
    quarantined, innocent = queue(), queue()
    die_with(quarantined)
    assert ids_of(claim(5)) == [innocent]
    assert ids_of(claim(5, quarantined=True)) == [quarantined]


def test_of_two_suspects_in_two_lanes_one_is_delivered_alone(app: Flask):
    app.config["EMAIL_BATCH"] = True  # then more rows are looked at than calls are made
    suspects = [queue(), queue(category="marketing")]
    for each in suspects:
        die_with(each)
    assert ids_of(claim(1, quarantined=True)) == suspects[:1]


def test_a_suspect_that_is_delivered_alone_is_cleared(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    die_with(email_id)
    assert row(email_id).quarantined
    answer(monkeypatch, yes())
    assert deliver_quarantined()
    assert (row(email_id).state, row(email_id).quarantined) == (State.ACCEPTED, False)
    assert not deliver_quarantined()


def test_three_deaths_alone_leave_the_email_unknown(app: Flask):
    email_id = queue()
    die_with(email_id)  # in company: anybody's fault
    for deaths in (1, 2):
        die_with(email_id)
        assert (row(email_id).state, row(email_id).crashes) == (State.QUEUED, deaths)
    die_with(email_id)
    assert row(email_id).state == State.UNKNOWN  # one of the calls may have been accepted
    assert "worker_lost" in str(row(email_id).last_error)


def test_nothing_else_is_in_flight_while_a_suspect_is(app: Flask, monkeypatch: pytest.MonkeyPatch):
    quarantined, other = queue(), queue()
    die_with(quarantined)
    order: list[str] = []
    started = threading.Event()

    def post(_self: EmailService, _name: str, request: object) -> Receipt:
        started.set()
        order.append("call")
        return yes()

    monkeypatch.setattr(EmailService, "post", post)

    def deliver_other() -> None:
        with app.app_context():
            outbox.deliver(other)
        order.append("other done")

    thread = threading.Thread(target=deliver_other)
    with lock.exclusive():
        thread.start()
        assert not started.wait(0.2)
        order.append("alone done")
    thread.join()
    assert order == ["alone done", "call", "other done"]
    assert deliver_quarantined()


def test_alone_waits_for_those_inside():
    doors = SharedLock()
    inside, leave, alone = threading.Event(), threading.Event(), threading.Event()

    def stay() -> None:
        with doors.shared():
            inside.set()
            leave.wait(PATIENCE)

    def be_alone() -> None:
        with doors.exclusive():
            alone.set()

    first, second = threading.Thread(target=stay), threading.Thread(target=be_alone)
    first.start()
    assert inside.wait(PATIENCE)
    second.start()
    assert not alone.wait(0.1)
    leave.set()
    assert alone.wait(PATIENCE)
    first.join()
    second.join()


def test_a_suspect_is_not_starved_by_a_backlog_at_the_rate_of_its_provider(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    app = make_app(
        DATABASE_URL=database_url,
        **settings(EMAIL_PROVIDER="resend", RESEND_RATE="50/second", EMAIL_SWEEP="0.1"),
    )
    called: list[str] = []
    with app.app_context():
        quarantined = queue(to="suspect@example.com")
        die_with(quarantined)
        others = [queue() for _ in range(60)]
        posting(monkeypatch, lambda _name, body: called.append(body) or yes())  # type: ignore[func-returns-value]  # a list's
        with delivering(app):
            wait_until(lambda: len(called) > len(others), "all to be called")
    assert any("suspect" in body for body in called[:30])
