"""Changes of subscribers in the same outbox: none is lost, and none stops an email."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

import outbox
import subscribers
from database import db, now, transaction, utc_now
from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    UnsupportedFeature,
)
from extensions import email
from outbox.delivery import finish
from outbox.outcomes import MAX_ATTEMPTS
from outbox.suppression import Reason, suppress
from outbox.sweep import sweep
from outbox.tables import OutboxChange, OutboxEmail, OutboxRow, ProviderState, State
from providers import PROVIDERS, AddTag, Receipt, WireRequest
from tests.conftest import MakeApp
from tests.outbox.conftest import KEYS, UNPACED
from tests.outbox.rows import answer, change_body, claim, ids_of, queue, row, yes
from tools.simulator_process import Simulator

ADDRESS = "ann+news@example.com"


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app on each database in which nobody delivers by itself."""
    app = make_app(
        DATABASE_URL=database_url, EMAIL_PROVIDER="resend,sendgrid", EMAIL_LEASE="40",
        EMAIL_DELIVERY="thread", **KEYS, **UNPACED,
    )  # fmt: skip
    with app.app_context():
        yield app


def subscribe(**fields: Any) -> str:
    row_id = subscribers.subscribe(ADDRESS, first_name="Ann", **fields).id
    db.session.commit()
    return row_id


def the_row(row_id: str) -> OutboxRow:
    with transaction() as session:
        return session.get_one(OutboxChange, row_id)


def all_changes() -> list[OutboxChange]:
    with transaction() as session:
        return list(outbox.reading.recent(session, outbox.OutboxChange))


def make_due(row_id: str) -> None:
    with transaction() as session:
        session.get_one(OutboxChange, row_id).due_at = utc_now() - timedelta(seconds=1)


def deliver_all() -> None:
    finish(claim(10))


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, error: EmailSendError | None) -> Iterator[None]:
    """Every change meets this error at the provider, or none."""

    def change_subscriber(*_: object) -> object:
        if error:
            raise error
        return yes()

    with monkeypatch.context() as patched:
        patched.setattr(PROVIDERS["resend"], "change_subscriber", change_subscriber)
        yield


def test_a_change_reaches_the_providers_list_by_the_way_of_emails(
    make_app: MakeApp, database_url: str, simulator: Simulator
):
    app = make_app(
        DATABASE_URL=database_url, EMAIL_PROVIDER="sequenzy", SEQUENZY_API_KEY="seq",
        SEQUENZY_BASE_URL=f"{simulator.url}/api/v1", EMAIL_DELIVERY="thread",
        SEQUENZY_RATE="off",
    )  # fmt: skip
    with app.app_context():
        row_id = subscribe(tags=["trial"], attributes={"plan": "Pro"})
        assert simulator.subscribers("sequenzy")["contacts"] == []
        deliver_all()
        assert the_row(row_id).state == State.ACCEPTED
        subscribers.add_tag(ADDRESS, "customer")
        subscribers.record_event(ADDRESS, "purchase", {"amount": 29})
        subscribers.remove_tag(ADDRESS, "trial")
        db.session.commit()
        deliver_all()
        [contact] = simulator.subscribers("sequenzy")["contacts"]
        assert (contact["email"], contact["tags"]) == (ADDRESS, ["customer"])
        assert len(simulator.subscribers("sequenzy")["events"]) == 1
        kinds = {
            each.kind: each.state
            for each in outbox.reading.recent(db.session(), outbox.OutboxChange)
        }
    assert kinds == dict.fromkeys(
        ["subscribe", "add-tag", "record-event", "remove-tag"], "accepted"
    )


def test_it_belongs_to_the_callers_transaction(app: Flask):
    subscribers.subscribe(ADDRESS)
    db.session.rollback()
    assert all_changes() == []
    with pytest.raises(RuntimeError, match="uncommitted"), app.app_context():
        subscribers.subscribe(ADDRESS)


def test_an_outage_or_a_lost_answer_costs_time_and_nothing_else(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    row_id = subscribe()
    for error in (
        ProviderUnavailable("resend answered 503", 503),
        OutcomeUnknown("resend did not answer"),
        RateLimited("resend answered 429", 429, retry_after=1),
    ):
        with answering(monkeypatch, error):
            deliver_all()
        assert the_row(row_id).state == State.QUEUED
        make_due(row_id)
        with transaction() as session:
            session.execute(delete(ProviderState))
    assert the_row(row_id).attempts == 2
    with answering(monkeypatch, None):
        deliver_all()
    assert the_row(row_id).state == State.ACCEPTED


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationFailed("resend answered 401: restricted_api_key", 401),
        ProviderUnavailable("resend answered 500", 500),
    ],
)
def test_a_list_that_cannot_be_changed_stops_no_email(
    app: Flask, monkeypatch: pytest.MonkeyPatch, error: EmailSendError
):
    for _ in range(6):  # more than open the breaker
        subscribe()
    with answering(monkeypatch, error):
        deliver_all()
    with transaction() as session:
        statuses = outbox.breaker.call_statuses(session, email.chain, utc_now())
    assert {name: str(each) for name, each in statuses.items()} == {
        "resend": "ok",
        "sendgrid": "ok",
    }
    email_id = queue()
    called = answer(monkeypatch, yes())
    deliver_all()
    assert (row(email_id).state, called) == (State.ACCEPTED, ["resend"])


def test_what_is_refused_for_good_fails_at_once_and_can_be_tried_again_by_hand(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    row_id = subscribe()
    with answering(monkeypatch, InvalidMessage("resend answered 422: no", 422)):
        deliver_all()
    assert the_row(row_id).state == State.FAILED
    with transaction() as session:
        assert outbox.actions.retry(session, row_id)
    with answering(monkeypatch, None):
        deliver_all()
    assert the_row(row_id).state == State.ACCEPTED


def test_after_the_last_attempt_it_has_failed_and_is_never_unknown(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    row_id = subscribe()
    with transaction() as session:
        session.get_one(OutboxChange, row_id).attempts = MAX_ATTEMPTS - 1
    with answering(monkeypatch, OutcomeUnknown("resend did not answer")):
        deliver_all()
    assert the_row(row_id).state == State.FAILED


def test_a_worker_that_died_over_it_is_followed_by_another_at_any_provider(app: Flask):
    app.config["EMAIL_PROVIDER"] = ("sendgrid",)  # it honours no key: an email would be unknown
    email.init_app(app)
    row_id = subscribe()
    claim(5)
    with transaction() as session:
        lost = session.get_one(OutboxChange, row_id)
        lost.lease_until, lost.calling_since = utc_now() - timedelta(seconds=1), utc_now()
    sweep()
    assert (the_row(row_id).state, the_row(row_id).quarantined) == (State.QUEUED, True)


def test_it_stays_with_the_first_provider_and_moves_only_with_the_configuration(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    row_id = subscribe()
    assert the_row(row_id).provider == "resend"
    with transaction() as session:
        later = utc_now() + timedelta(minutes=5)
        session.add(ProviderState(name="resend", failures=5, open_until=later))
    assert claim(5) == []  # sendgrid would be free, but has another list
    app.config["EMAIL_PROVIDER"] = ("sendgrid",)
    email.init_app(app)
    assert [each.provider for each in claim(5)] == ["sendgrid"]


def test_it_is_no_email_anywhere(app: Flask):
    row_id = subscribe()
    with transaction() as session:
        assert outbox.reading.recent(session, outbox.OutboxEmail) == []
        assert session.get(outbox.OutboxEmail, row_id) is None
        assert session.get(outbox.OutboxRow, row_id) is not None
        assert outbox.reading.count_by_state(session)["queued"] == 0
        assert outbox.reading.totals(session) == []
    assert app.test_client().get(f"/api/emails/{row_id}").status_code == 404


def test_a_suppressed_address_can_still_be_unsubscribed(app: Flask):
    with transaction() as session:
        suppress(session, ADDRESS, "all", reason=Reason.HARD_BOUNCE, source="test")
    row_id = subscribers.unsubscribe(ADDRESS).id
    db.session.commit()
    assert ids_of(claim(5)) == [row_id]


def test_what_the_provider_has_no_such_thing_as_is_said_at_once(make_app: MakeApp):
    app = make_app(EMAIL_PROVIDER="sendgrid", **KEYS)
    with app.app_context():
        with pytest.raises(UnsupportedFeature, match="sendgrid cannot record-event"):
            subscribers.record_event(ADDRESS, "purchase")
        with subscribers.if_supported:
            subscribers.record_event(ADDRESS, "purchase")
        assert all_changes() == []


def test_subscribers_can_be_switched_off(make_app: MakeApp):
    app = make_app(SUBSCRIBERS_ENABLED="false")
    with app.app_context(), pytest.raises(UnsupportedFeature, match="SUBSCRIBERS_ENABLED"):
        subscribers.subscribe(ADDRESS)
    answered = app.test_client().post("/api/signup", json={"name": "Ann", "email": ADDRESS})
    assert answered.status_code == 201
    with app.app_context():
        assert all_changes() == []


def test_its_timeline_names_the_attempts(app: Flask, monkeypatch: pytest.MonkeyPatch):
    row_id = subscribe()
    with answering(monkeypatch, None):
        deliver_all()
    with transaction() as session:
        told = outbox.timeline.moments(session.get_one(OutboxChange, row_id))
    assert [(each.type, each.detail) for each in told] == [
        ("enqueued", "subscribe"), ("attempt", "resend"), ("accepted", "resend 200"),
    ]  # fmt: skip


def test_emails_go_first_and_changes_leave_them_room(app: Flask):
    changes = [subscribe() for _ in range(4)]
    emails = [queue() for _ in range(2)]
    assert ids_of(claim(2)) == emails
    assert len(claim(3)) == 3
    [last] = claim(8)
    assert last.rows[0].id in changes


@pytest.mark.parametrize("paused", [False, True])
def test_a_change_that_waits_is_no_reason_to_wake_anybody(app: Flask, paused: bool):
    row_id = subscribe()
    with transaction() as session:
        session.get_one(OutboxChange, row_id).due_at = utc_now() - timedelta(hours=1)
        if paused:
            later = utc_now() + timedelta(minutes=5)
            session.add(ProviderState(name="resend", failures=5, open_until=later))
    assert outbox.readiness.queue_problem() is None
    assert outbox.readiness.oldest_due_age() > 3000
    email_id = queue()
    with transaction() as session:
        session.get_one(OutboxEmail, email_id).due_at = utc_now() - timedelta(hours=1)
    assert outbox.readiness.queue_problem() is not None


def test_a_change_of_a_subscriber_that_only_newer_code_knows_waits_for_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(PROVIDERS["resend"], "change_subscriber", lambda *_: yes())
    row_id = subscribe()
    change_body(row_id, {"change": "merge", "email": "ann@example.com"})
    deliver_all()
    waiting = the_row(row_id)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)
    assert waiting.due_at > utc_now()
    assert "deploy the newer code everywhere" in str(waiting.last_error)


def test_a_change_that_a_stricter_check_would_refuse_is_still_made(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    made: list[object] = []

    def change_subscriber(_self: object, asked: object, *_: object) -> Receipt:
        made.append(asked)
        return yes()

    monkeypatch.setattr(PROVIDERS["resend"], "change_subscriber", change_subscriber)
    row_id = subscribe()
    with pytest.raises(InvalidMessage):
        AddTag(email="ann@example.com", tag="Not A Tag")
    change_body(row_id, {"change": "add-tag", "email": "ann@example.com", "tag": "Not A Tag"})
    deliver_all()
    assert the_row(row_id).state == State.ACCEPTED
    [tag] = made
    assert isinstance(tag, AddTag)
    assert tag.tag == "Not A Tag"


@pytest.fixture
def at_resend(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    """An app whose changes reach the simulator's Resend, at its rate."""
    app = make_app(
        DATABASE_URL=database_url, EMAIL_PROVIDER="resend", RESEND_API_KEY="re_x",
        RESEND_BASE_URL=simulator.url, RESEND_RATE="5/second", EMAIL_DELIVERY="thread",
    )  # fmt: skip
    with app.app_context():
        yield app


def count_calls(monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[str]:
    """Let each call to the vendor last so many seconds, on the clock that a change looks at."""
    calls: list[str] = []
    resend: Any = PROVIDERS["resend"]
    exchange = resend._exchange

    def slow(self: object, request: WireRequest) -> object:
        calls.append(request.path)
        return exchange(self, request)

    clock = time.monotonic
    monkeypatch.setattr(resend, "_exchange", slow)
    monkeypatch.setattr("providers.subscribers.monotonic", lambda: clock() + seconds * len(calls))
    return calls


def test_a_change_of_many_slow_calls_ends_before_its_lease_and_is_finished_later(
    at_resend: Flask, monkeypatch: pytest.MonkeyPatch, simulator: Simulator
):
    tags = [f"tag-{number}" for number in range(20)]
    row_id = subscribe(tags=tags)
    with monkeypatch.context() as patch:
        calls = count_calls(patch, seconds=10)
        deliver_all()
    lease, timeout = at_resend.config["EMAIL_LEASE"], at_resend.config["EMAIL_TIMEOUT"]
    assert 10 * len(calls) <= lease
    assert 10 * len(calls) > lease - timeout - 10  # it used the time that it had
    waiting = the_row(row_id)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 1)
    assert "the rest comes later" in str(waiting.last_error)
    with transaction() as session:
        session.execute(delete(ProviderState))
    make_due(row_id)
    deliver_all()
    assert the_row(row_id).state == State.ACCEPTED
    [contact] = simulator.subscribers("resend")["contacts"]
    assert sorted(contact["tags"]) == sorted(tags)


def test_each_call_of_a_change_takes_a_permit_of_the_rate(
    at_resend: Flask, monkeypatch: pytest.MonkeyPatch
):
    calls = count_calls(monkeypatch, seconds=0)
    began = now_there()
    subscribe(tags=["trial"])
    deliver_all()
    with transaction() as session:
        full_at = session.get_one(ProviderState, "resend").next_at
    assert len(calls) > 2
    assert full_at is not None
    assert full_at - began >= timedelta(seconds=len(calls) / 5)
    queue()
    assert claim(5) == []  # until the calls that were made are paid for


def now_there() -> datetime:
    with transaction() as session:
        return now(session)
