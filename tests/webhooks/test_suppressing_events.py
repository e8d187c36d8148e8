"""Which events stop emails to an address, for whom, and for which emails. On both databases."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from database import transaction, utc_now
from outbox import State, Suppression
from outbox.delivery import finish
from providers import BounceClass, EventType, TrackingEvent
from tests.outbox.conftest import app as app
from tests.outbox.rows import answer, change, claim, queue, row, story, yes
from tests.webhooks.reports import apply_reports
from webhooks.effects import SOFT_BOUNCES, SOFT_WINDOW

HARD = {"type": EventType.BOUNCED, "bounce": BounceClass.HARD, "recipient": "ann@example.com"}
SOFT = HARD | {"bounce": BounceClass.SOFT}
COMPLAINT = {"type": EventType.COMPLAINED, "recipient": "ann@example.com"}
UNSUBSCRIBED = {"type": EventType.UNSUBSCRIBED, "recipient": "ann@example.com"}


def sent(**fields: Any) -> str:
    """An email that the provider accepted."""
    email_id = queue(**fields)
    change(email_id, state=State.ACCEPTED, provider="resend")
    return email_id


def tell(email_id: str | None, **fields: Any) -> bool:
    event = TrackingEvent(
        **{"provider": "resend", "event_id": "evt", "at": utc_now(), "email_id": email_id, **fields}
    )
    with transaction() as session:
        [known] = apply_reports(session, [event])
        return known


def suppressions() -> list[tuple[str, str, str]]:
    with transaction() as session:
        rows = session.scalars(select(Suppression).order_by(Suppression.address))
        return [(each.address, each.scope, each.reason) for each in rows]


def test_after_a_hard_bounce_the_next_email_is_suppressed_when_it_is_enqueued(app: Flask):
    email_id = sent()
    tell(email_id, **HARD, reason="550 5.1.1 no such user")
    assert suppressions() == [("ann@example.com", "all", "hard bounce")]
    assert story(email_id)[-2:] == [
        ("bounced", "hard 550 5.1.1 no such user"),
        ("address_suppressed", "a***@example.com all: hard bounce"),
    ]
    following = queue()
    assert row(following).state == State.SUPPRESSED
    assert story(following) == [
        ("enqueued", ""),
        ("suppressed", "a***@example.com: hard bounce"),
    ]
    assert row(following).message["to"] == [{"email": "ann@example.com", "name": ""}]


def test_a_complaint_about_marketing_still_lets_a_password_reset_through(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    tell(sent(category="marketing"), **COMPLAINT)
    assert suppressions() == [("ann@example.com", "marketing", "complained")]
    newsletter, reset = queue(category="marketing"), queue(kind="password-reset")
    answer(monkeypatch, yes())
    finish(claim(5))
    assert (row(newsletter).state, row(reset).state) == (State.SUPPRESSED, State.ACCEPTED)


def test_a_complaint_about_an_email_of_the_account_stops_all(app: Flask):
    tell(sent(), **COMPLAINT)
    assert suppressions() == [("ann@example.com", "all", "complained")]


def test_soft_bounces_stop_all_once_there_are_enough_in_the_window(app: Flask):
    long_ago = utc_now() - SOFT_WINDOW - timedelta(minutes=1)
    tell(sent(), **SOFT, at=long_ago)
    for _ in range(SOFT_BOUNCES - 1):
        email_id = sent()
        tell(email_id, **SOFT)
        tell(email_id, **SOFT)  # the same email twice is one
    assert suppressions() == []
    tell(sent(), **SOFT | {"bounce": BounceClass.UNDETERMINED})
    assert suppressions() == [("ann@example.com", "all", "soft bounces")]


@pytest.mark.parametrize(
    "event",
    [
        {"type": EventType.DELIVERED},
        {"type": EventType.DEFERRED},
        {"type": EventType.FAILED},
        {"type": EventType.REJECTED},
        SOFT,
    ],
    ids=lambda event: "-".join(str(each) for each in event.values()),
)
def test_what_does_not_speak_against_the_address_stops_nothing(app: Flask, event: dict[str, Any]):
    tell(sent(), **{"recipient": "ann@example.com", **event})
    assert suppressions() == []


def test_an_address_on_the_providers_own_list_is_stopped_here_as_well(app: Flask):
    tell(sent(), **HARD | {"type": EventType.REJECTED})
    assert suppressions() == [("ann@example.com", "all", "hard bounce")]


def test_an_event_about_somebody_else_or_an_email_that_is_not_ours_stops_nobody(app: Flask):
    assert tell(sent(), **HARD | {"recipient": "eve@example.com"})
    assert not tell("01890000-0000-7000-8000-000000000000", **HARD)
    assert not tell(None, **HARD, provider_message_id="not-ours")
    assert suppressions() == []


def test_an_event_without_a_recipient_counts_only_where_there_is_just_one(app: Flask):
    nobody = HARD | {"recipient": None}
    tell(sent(to=["ann@example.com", "ben@example.com"]), **nobody)
    assert suppressions() == []
    tell(sent(to="Ann@Example.com"), **nobody)
    assert suppressions() == [("ann@example.com", "all", "hard bounce")]


@pytest.mark.parametrize("known", [True, False], ids=["of an email", "of an address"])
def test_unsubscribing_stops_marketing_and_takes_back_what_waits(app: Flask, known: bool):
    waiting = queue(category="marketing", send_at=utc_now() + timedelta(days=3))
    receipt = queue(send_at=utc_now() + timedelta(days=3))
    tell(sent(category="marketing") if known else None, **UNSUBSCRIBED)
    assert suppressions() == [("ann@example.com", "marketing", "unsubscribed")]
    assert (row(waiting).state, row(receipt).state) == (State.CANCELLED, State.QUEUED)
    assert story(waiting)[-1] == ("cancelled", "because a***@example.com unsubscribed")


def test_the_timeline_tells_the_whole_story_in_order(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue(kind="welcome", to=["ann@example.com", "ben@example.com"])
    answer(monkeypatch, yes())
    finish(claim(5))
    whole_second = utc_now().replace(microsecond=0)  # as providers tell it: before the attempt
    delivered = {"type": EventType.DELIVERED, "recipient": "ann@example.com", "reason": "250 OK"}
    tell(email_id, **delivered, at=whole_second)
    assert story(email_id) == [
        ("enqueued", "welcome, nobody is suppressed"),
        ("attempt", "resend"),
        ("accepted", "resend 200"),
        ("delivered", "a***@example.com 250 OK"),
    ]
