"""What a provider's event does to an email, whatever comes first and however often."""

from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from database import transaction, utc_now
from outbox import OutboxEmail, State, enqueue
from outbox.sweep import sweep
from providers import EventType, TrackingEvent
from tests.outbox.conftest import app as app
from tests.outbox.rows import answer, change, claim, message, queue, row, yes
from tests.webhooks.reports import apply_reports

ORDERS = list(
    permutations(
        [
            EventType.QUEUED,
            EventType.DEFERRED,
            EventType.DELIVERED,
            EventType.BOUNCED,
            EventType.COMPLAINED,
        ]
    )
)


def event(kind: EventType, **fields: Any) -> TrackingEvent:
    return TrackingEvent(
        provider="sendgrid", event_id=f"event-{kind}", type=kind, at=utc_now(), **fields
    )


def tell(*events: TrackingEvent) -> list[bool]:
    with transaction() as session:
        return apply_reports(session, events)


def test_all_orders_of_events_end_in_the_same_state(app: Flask):
    assert len(ORDERS) == 120
    with transaction() as session:  # all at once: a commit costs more than its events
        ids = [enqueue(session, message()).id for _ in ORDERS]
        session.execute(update(OutboxEmail).values(state=State.ACCEPTED, provider="sendgrid"))
    told = [
        event(kind, email_id=email_id)
        for email_id, order in zip(ids, ORDERS, strict=True)
        for kind in (*order, *order)
    ]
    assert tell(*told) == [True] * 1200
    with transaction() as session:
        emails = session.scalars(select(OutboxEmail)).all()
    finals = {(each.state, each.delivery_status, tuple(each.marks)) for each in emails}
    assert len(emails) == 120
    assert finals == {("accepted", "delivered", ("bounced", "complained"))}


def test_an_event_answers_what_nobody_knew(app: Flask):
    email_id = queue()
    change(email_id, state=State.UNKNOWN, pinned=True, provider="sendgrid", unknown_since=utc_now())
    tell(event(EventType.QUEUED, email_id=email_id, provider_message_id="sg-1"))
    email = row(email_id)
    assert (email.state, email.provider_message_id) == (State.ACCEPTED, "sg-1")
    assert (email.pinned, email.delivery_status) == (False, "queued")


def test_an_email_is_found_by_the_providers_id_too_but_only_its_own(app: Flask):
    email_id = queue()
    change(email_id, state=State.ACCEPTED, provider="sendgrid", provider_message_id="sg-2")
    assert tell(event(EventType.DELIVERED, provider_message_id="sg-2")) == [True]
    change(email_id, provider="resend", delivery_status=None)
    assert tell(event(EventType.DELIVERED, provider_message_id="sg-2")) == [False]
    assert tell(event(EventType.DELIVERED)) == [False]


def test_an_event_keeps_what_already_waits_to_be_sent_again_from_being_sent(app: Flask):
    email_id = queue(if_unknown="resend")
    change(email_id, provider="sendgrid")  # the policy has queued it again
    tell(event(EventType.DELIVERED, email_id=email_id))
    assert claim(5) == []
    email = row(email_id)
    assert (email.state, email.lease_token) == (State.ACCEPTED, None)
    assert email.accepted_at is not None


def test_an_email_whose_question_was_answered_is_not_sent_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(if_unknown="resend")
    change(email_id, state=State.UNKNOWN, pinned=True, provider="sendgrid", unknown_since=utc_now())
    tell(event(EventType.DELIVERED, email_id=email_id))
    called = answer(monkeypatch, yes())
    app.config["EMAIL_UNKNOWN_WAIT"] = 0
    sweep()
    assert claim(5) == []
    assert called == []
