"""Events that outrun our commit are kept in one form of our own. On both databases."""

from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask
from sqlalchemy import select, update

import webhooks
from database import transaction, utc_now
from message import new_id
from outbox import State
from providers import PROVIDERS, BounceClass, EventType, RawEvent, TrackingEvent
from tests.outbox.conftest import app as app
from tests.outbox.rows import change, queue, row
from webhooks import EventOutcome, ReceivedEvent
from webhooks.waiting import from_json, to_json

EARLY = TrackingEvent(
    provider="resend",
    event_id="evt_1",
    type=EventType.BOUNCED,
    at=utc_now(),
    provider_message_id="re-1",
    recipient="ann@example.com",
    names_one=False,
    bounce=BounceClass.HARD,
    reason="550 5.1.1 no such user",
)


def receive_early() -> None:
    """An event about an email that is not known yet."""
    item = RawEvent(event_id=EARLY.event_id, type="email.bounced", data={"what": "came"})
    assert webhooks.receive("resend", [item], lambda _: EARLY) == [EventOutcome.WAITING]


def accepted_meanwhile() -> str:
    """The email that the event is about, committed after all."""
    email_id = queue()
    change(email_id, state=State.ACCEPTED, provider="resend", provider_message_id="re-1")
    return email_id


def stored() -> tuple[str, dict[str, Any] | None]:
    with transaction() as session:
        [event] = session.scalars(select(ReceivedEvent))
        return event.outcome, event.waiting_event


@pytest.mark.parametrize(
    "event",
    [
        EARLY,
        TrackingEvent(
            provider="sendgrid",
            event_id="evt_2",
            type=EventType.DELIVERED,
            at=utc_now(),
            email_id=new_id(),
        ),
    ],
    ids=["every field", "the fewest"],
)
def test_what_waits_comes_back_as_it_was(event: TrackingEvent):
    assert from_json(to_json(event)) == event


def test_it_is_joined_without_the_provider_that_reported_it(app: Flask):
    receive_early()
    email_id = accepted_meanwhile()
    with patch.dict(PROVIDERS):  # it restores the order as well; a later test reads it
        del PROVIDERS["resend"]
        assert webhooks.join_waiting() == 1
    assert row(email_id).marks == ["bounced"]
    assert stored() == (EventOutcome.APPLIED, None)


def test_a_form_that_this_code_does_not_know_goes_on_waiting(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    receive_early()
    email_id = accepted_meanwhile()
    with transaction() as session:
        newer = to_json(EARLY) | {"version": 2, "unheard_of": True}
        session.execute(update(ReceivedEvent).values(waiting_event=newer))
    assert webhooks.join_waiting() == 0
    assert "a waiting event of version 2; this code reads 1" in caplog.text
    assert (row(email_id).marks, stored()) == ([], (EventOutcome.WAITING, newer))


def test_what_waits_is_forgotten_with_the_person_it_names(app: Flask):
    item = RawEvent(event_id="evt_1", type="email.bounced", data={"to": "ann@example.com"})
    webhooks.receive("resend", [item], lambda _: EARLY)
    with transaction() as session:
        assert webhooks.forget(session, "ann@example.com", []) == 1
    assert stored() == (EventOutcome.IGNORED, None)
