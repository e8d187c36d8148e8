"""Events twice, in any order, in lists with poison, before our own commit: each counts once."""

import json
import random
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

import webhooks
from extensions import db
from outbox import EmailEvent, OutboxBody, OutboxEmail
from providers import PROVIDERS, TrackingEvent
from tests.blueprints.conftest import stored
from tests.blueprints.provider_posts import (
    Sent,
    accepted_email,
    accepted_emails,
    never_sent,
    outcomes,
    post,
    shown,
    suppressions,
    told,
)
from tests.conftest import MakeApp
from tools.provider_events import HEADERS, SETTINGS, body_of, sendgrid_event
from webhooks import ReceivedEvent

NAMES = tuple(HEADERS)
FIVE = ("processed", "deferred", "delivered", "bounce", "spamreport")


def events_of(emails: list[Sent], *kinds: str, **more: Any) -> list[dict[str, Any]]:
    return [sendgrid_event(kind, email.id, **more) for email in emails for kind in kinds]


def test_all_120_orders_of_five_events_end_in_the_same_state(any_app: Flask):
    client, orders = any_app.test_client(), list(permutations(FIVE))
    emails = accepted_emails(any_app, "sendgrid", 120)
    for place in range(5):  # each post holds one event of each email
        pairs = zip(emails, orders, strict=True)
        batch = [sendgrid_event(order[place], email.id) for email, order in pairs]
        assert post(client, "sendgrid", batch).get_json() == {"received": 120}
    with any_app.app_context():
        rows = db.session.execute(
            select(OutboxEmail.state, OutboxEmail.delivery_status, OutboxEmail.marks)
        ).all()
        kinds = db.session.execute(select(EmailEvent.email_id, EmailEvent.type)).all()
    assert len(rows) == 120
    assert {(row[0], row[1], *row[2]) for row in rows} == {
        ("accepted", "delivered", "bounced", "complained")
    }
    words = {"queued", "deferred", "delivered", "bounced", "complained"}
    assert {email.id: words for email in emails} == {
        email.id: {kind for email_id, kind in kinds if email_id == email.id}
        - {"address_suppressed"}
        for email in emails
    }


@pytest.mark.parametrize("provider", NAMES)
def test_what_is_delivered_46_times_in_random_order_counts_once(any_app: Flask, provider: str):
    in_lists = provider == "sendgrid"
    client, emails = any_app.test_client(), accepted_emails(any_app, provider, 3 if in_lists else 1)
    kinds = FIVE if in_lists else ("email.delivered", "email.bounced")
    values = [events_of(emails, kind) if in_lists else emails[0].event(kind) for kind in kinds]
    posts = [(body, HEADERS[provider](body)) for body in map(body_of, values)]
    deliveries = posts * 46
    random.Random(46).shuffle(deliveries)  # noqa: S311  the same order in each run
    for body, headers in deliveries:
        answer = client.post(f"/api/webhooks/{provider}", data=body, headers=headers)
        assert answer.status_code == 200
    for email in emails:
        lines = [kind for kind, _ in told(client, email) if kind != "address_suppressed"]
        assert len(lines) == len(set(lines)) == len(kinds)
        assert shown(client, email)["delivery_status"] == "delivered"
        assert "bounced" in shown(client, email)["marks"]
    assert outcomes(any_app) == ["applied"] * len(kinds) * len(emails)


def test_a_redelivery_with_another_sg_event_id_is_the_same_event(any_app: Flask):
    client, email = any_app.test_client(), accepted_email(any_app, "sendgrid")
    delivered = email.event("delivered")
    again = [delivered[0] | {"sg_event_id": "changed"}]
    assert [post(client, "sendgrid", each).status_code for each in (delivered, again)] == [200, 200]
    assert told(client, email) == [("delivered", "")]


@pytest.mark.parametrize(
    "other",
    [{"timestamp": 2}, {"email": "bob@example.com"}, {"url": "https://b.example"}],
    ids=json.dumps,
)
def test_events_that_differ_in_more_than_that_are_two(any_app: Flask, other: dict[str, Any]):
    client, email = any_app.test_client(), accepted_email(any_app, "sendgrid")
    [click] = email.event("click", url="https://a.example", timestamp=1)
    assert post(client, "sendgrid", [click, click | other, click]).status_code == 200
    assert len(told(client, email)) == 2


def test_at_resend_the_id_in_the_header_makes_the_event(any_app: Flask):
    client, email = any_app.test_client(), accepted_email(any_app, "resend")
    opened = email.event("email.opened")
    for message_id in ("msg_1", "msg_1", "msg_2"):
        assert post(client, "resend", opened, message_id=message_id).status_code == 200
    assert len(told(client, email)) == 2


MALFORMED: list[Any] = [
    *(None, 1, "x", [], [[]], {}, {"event": "bounce"}, {"event": None, "email": "a@example.com"}),
    *({"event": "open", "email": "a\0@example.com"}, {"event": "open", "email": ["a@b.example"]}),
    *({"event": "\0", "email": "a@example.com"}, {"event": "open", "email": "\ud800"}),
]


def test_malformed_items_are_rejected_and_99_beside_them_count(any_app: Flask):
    client, emails = any_app.test_client(), accepted_emails(any_app, "sendgrid", 33)
    batch = events_of(emails, "processed", "delivered", "open")
    for place, poison in enumerate(MALFORMED):
        batch.insert(place * 9, poison)
    for _ in range(2):
        assert post(client, "sendgrid", batch).get_json() == {"received": 99 + len(MALFORMED)}
    assert outcomes(any_app) == ["applied"] * 99 + ["rejected"] * len(MALFORMED)
    assert stored(any_app, EmailEvent) == 99


@pytest.mark.parametrize("where", ["reading it", "applying it"])
def test_our_own_mistake_with_one_item_costs_that_one_until_it_is_mended(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch, where: str
):
    app = make_app(DATABASE_URL=database_url, PROPAGATE_EXCEPTIONS=False, **SETTINGS)
    client, emails = app.test_client(), accepted_emails(app, "sendgrid", 25)
    batch = events_of(emails, "processed", "deferred", "delivered", "open")
    webhook, apply = PROVIDERS["sendgrid"].webhook, webhooks.effects.apply
    assert webhook is not None
    read, poison = webhook.parse, batch[50]["sg_event_id"]

    def reads(item: Any) -> TrackingEvent | None:
        if item.data["sg_event_id"] == poison:
            raise ZeroDivisionError
        return read(item)

    def applies(session: Any, event: TrackingEvent, emails: Any = None) -> bool:
        known = apply(session, event, emails)  # half of its effect is there
        if event.event_id == webhook.split(body_of([batch[50]]), {})[0].event_id:
            raise ZeroDivisionError
        return known

    with monkeypatch.context() as broken:
        if where == "reading it":
            broken.setattr(webhook, "parse", reads)
        else:
            broken.setattr(webhooks.effects, "apply", applies)
        for _ in range(2):
            assert post(client, "sendgrid", batch).status_code == 500
            assert (outcomes(app), stored(app, EmailEvent)) == (["applied"] * 99, 99)
    assert post(client, "sendgrid", batch).status_code == 200
    assert (outcomes(app), stored(app, EmailEvent)) == (["applied"] * 100, 100)


def become(app: Flask, email: Sent, sent: Sent) -> None:
    """The row of `email` turns out to be the email that events named as `sent`."""
    with app.app_context():
        db.session.execute(delete(OutboxBody).where(OutboxBody.id == email.id))
        row = update(OutboxEmail).where(OutboxEmail.id == email.id)
        db.session.execute(row.values(id=sent.id, provider_message_id=sent.message_id))
        db.session.commit()


@pytest.mark.parametrize("provider", NAMES)
def test_an_event_that_outruns_our_commit_waits_and_is_joined(any_app: Flask, provider: str):
    client, early = any_app.test_client(), never_sent(provider)
    bounce = early.event("email.bounced", reason="5.1.1", bounce={"message": "5.1.1"})
    headers = HEADERS[provider](body_of(bounce))
    for _ in range(2):
        client.post(f"/api/webhooks/{provider}", data=body_of(bounce), headers=headers)
    assert (outcomes(any_app), suppressions(any_app)) == (["waiting"], set())
    with any_app.app_context():
        assert webhooks.join_waiting() == 0
    become(any_app, accepted_email(any_app, provider), early)
    with any_app.app_context():
        assert [webhooks.join_waiting(), webhooks.join_waiting()] == [1, 0]
    assert ("bounced", "hard 5.1.1") in told(client, early)
    assert outcomes(any_app) == ["applied"]
    assert suppressions(any_app) == {("ann@example.com", "all")}
    client.post(f"/api/webhooks/{provider}", data=body_of(bounce), headers=headers)
    assert [kind for kind, _ in told(client, early)].count("bounced") == 1


def test_a_kept_event_that_breaks_our_code_keeps_nobody_else_waiting(
    any_app: Flask, monkeypatch: pytest.MonkeyPatch
):
    client, early = any_app.test_client(), [never_sent("sendgrid") for _ in range(3)]
    assert post(client, "sendgrid", events_of(early, "delivered")).status_code == 200
    for sent in early:
        become(any_app, accepted_email(any_app, "sendgrid"), sent)
    apply = webhooks.effects.apply

    def applies(session: Any, event: TrackingEvent, emails: Any = None) -> bool:
        known = apply(session, event, emails)
        if event.email_id == early[1].id:
            raise ZeroDivisionError
        return known

    with any_app.app_context():
        with monkeypatch.context() as broken:
            broken.setattr(webhooks.effects, "apply", applies)
            assert webhooks.join_waiting() == 2
        assert outcomes(any_app) == ["applied", "applied", "waiting"]
        assert told(client, early[1]) == []
        assert webhooks.join_waiting() == 1
    assert told(client, early[1]) == [("delivered", "")]


@pytest.mark.parametrize("provider", NAMES)
def test_an_event_of_an_email_we_never_sent_is_kept_and_changes_nothing(
    any_app: Flask, provider: str
):
    client, stranger = any_app.test_client(), never_sent(provider)
    ours = accepted_email(any_app, provider)
    bounce = {"reason": "5.1.1", "bounce": {"type": "Permanent", "message": "5.1.1"}}
    for kind in ("email.bounced", "email.complained", "spamreport"):
        assert post(client, provider, stranger.event(kind, **bounce)).status_code == 200
    assert set(outcomes(any_app)) <= {"waiting", "ignored"}
    assert (told(client, ours), suppressions(any_app)) == ([], set())
    with any_app.app_context():
        kept = db.session.scalars(select(ReceivedEvent.payload)).all()
    assert len(kept) == 3
    assert all("5.1.1" in payload for payload in kept)


def test_another_providers_event_does_not_find_an_email_by_its_id(any_app: Flask):
    client, email = any_app.test_client(), accepted_email(any_app, "resend")
    other = Sent("sequenzy", email.id, email.message_id)
    assert post(client, "sequenzy", other.event("email.delivered")).status_code == 200
    assert outcomes(any_app) == ["waiting"]


@pytest.mark.parametrize("provider", ["resend", "sendgrid"])
def test_an_event_answers_whether_an_unknown_email_was_accepted(any_app: Flask, provider: str):
    client, email = any_app.test_client(), accepted_email(any_app, provider)
    with any_app.app_context():
        db.session.execute(delete(OutboxBody).where(OutboxBody.id == email.id))
        row = update(OutboxEmail).where(OutboxEmail.id == email.id)
        lost = {"state": "unknown", "pinned": True, "provider_message_id": None}
        db.session.execute(row.values(lost))
        db.session.commit()
    assert post(client, provider, email.event("email.delivered")).status_code == 200
    answer = shown(client, email)
    assert (answer["status"], answer["delivery_status"]) == ("accepted", "delivered")
    assert answer["provider_message_id"]


def test_the_events_of_a_body_are_told_in_the_answer(any_app: Flask):
    client, email = any_app.test_client(), accepted_email(any_app, "resend")
    answer = post(client, "resend", email.event("email.sent"))
    assert answer.get_json() == {"received": 1}
    assert post(client, "sendgrid", []).get_json() == {"received": 0}
