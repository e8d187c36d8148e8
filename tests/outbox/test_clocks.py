"""Hosts whose clocks differ share one PostgreSQL: its clock says what is due."""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from flask import Flask

import outbox
from database import transaction, utc_now
from errors import ProviderUnavailable
from outbox.sweep import sweep
from outbox.tables import State
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings, wait_for
from tests.outbox.rows import answer, claim, ids_of, queue, row, yes

SKEWS = (timedelta(seconds=-120), timedelta(milliseconds=50), timedelta(seconds=120))
"""How far this host's clock is ahead of the database's."""


@pytest.fixture(params=SKEWS, ids=str)
def app(
    request: pytest.FixtureRequest,
    make_app: MakeApp,
    postgresql_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Flask]:
    skew: timedelta = request.param

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + skew

    app = make_app(DATABASE_URL=postgresql_url, **settings())
    with app.app_context():
        monkeypatch.setattr("database.base.datetime", Clock)
        assert abs(utc_now() - datetime.now(utc_now().tzinfo) - skew) < timedelta(seconds=5)
        yield app


def test_an_email_leaves_at_once_whatever_this_hosts_clock_says(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    posting(monkeypatch, lambda name, _body: yes(name))
    with delivering(app) as engine:
        for _ in range(3):
            email_id = queue()
            engine.wake()
            wait_for(email_id, State.ACCEPTED)


def test_a_living_lease_is_left_alone_whatever_this_hosts_clock_says(app: Flask):
    queue()
    assert len(claim(1)) == 1
    assert sweep() == 0


def test_a_retry_waits_for_its_time_whatever_this_hosts_clock_says(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.outcomes.backoff", lambda _attempt: 60.0)
    answer(monkeypatch, ProviderUnavailable("503", 503), ProviderUnavailable("503", 503))
    email_id = queue()
    outbox.deliver(email_id)
    outbox.deliver(email_id)  # the next provider of the chain
    assert row(email_id).state == State.QUEUED
    assert claim(1) == []


def test_what_a_person_asks_for_again_is_due_at_once_whatever_this_hosts_clock_says(app: Flask):
    email_id = queue()
    with transaction() as session:
        session.get_one(outbox.OutboxEmail, email_id).state = State.FAILED
    with transaction() as session:
        assert outbox.actions.retry(session, email_id)
    assert ids_of(claim(1)) == [email_id]
