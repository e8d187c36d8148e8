"""Nobody hears that a payment failed once the invoice is paid, in whatever order events come."""

import random
from collections import Counter

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

import outbox
from database import db
from message import EmailMessage
from outbox import OutboxEmail
from tests.blueprints.conftest import at_once, outbox_rows
from tests.blueprints.stripe_events import deliver, event, invoice

FAILED, PAID = "invoice.payment_failed", "invoice.paid"


@pytest.fixture
def waiting(any_app: Flask) -> FlaskClient:
    """A client of an app whose emails wait, because its provider is left alone for now."""
    with any_app.app_context():
        pause = "INSERT INTO provider_states (name, failures, open_until) VALUES ('inbox', 5, :at)"
        db.session.execute(text(pause), {"at": "2100-01-01 00:00:00"})
        db.session.commit()
    return any_app.test_client()


def failed(attempt: int = 1, about: str = "in_1") -> dict[str, object]:
    body = invoice(id=about, attempt_count=attempt)
    return event(FAILED, body, id=f"evt_{about}_failed_{attempt}")


def paid(about: str = "in_1", *, attempts: int = 1) -> dict[str, object]:
    body = invoice(id=about, attempt_count=attempts, status="paid", next_payment_attempt=None)
    return event(PAID, body, id=f"evt_{about}_paid")


def states(app: Flask) -> list[str]:
    return [row.state for row in outbox_rows(app)]


def test_a_failure_that_is_told_after_the_payment_sends_nothing(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    client = any_app.test_client()
    for body in (paid(), failed(1), failed(2), failed(1), paid(), failed(3)):
        assert deliver(client, body).status_code == 200
    assert outbox_emails == []
    assert outbox_rows(any_app) == []


def test_a_payment_takes_back_what_waits_to_tell_of_a_failure(any_app: Flask, waiting: FlaskClient):
    for body in (failed(1), failed(2), failed(1, about="in_10"), paid(attempts=2)):
        assert deliver(waiting, body).status_code == 200
    assert states(any_app) == ["cancelled", "cancelled", "queued"]
    with any_app.app_context():
        [_, told] = outbox.timeline.moments(outbox.reading.recent(db.session(), OutboxEmail)[-1])
    assert (told.type, told.detail) == ("cancelled", "because the invoice was paid")
    for body in (failed(1), paid(attempts=2), failed(3)):
        assert deliver(waiting, body).status_code == 200
    assert states(any_app) == ["cancelled", "cancelled", "queued"]


def test_a_payment_leaves_what_was_sent_as_it_is(any_app: Flask):
    client = any_app.test_client()
    for body in (failed(1), paid(), failed(2)):
        assert deliver(client, body).status_code == 200
    assert states(any_app) == ["accepted"]


def test_events_that_come_at_once_leave_nothing_to_be_sent(any_app: Flask, waiting: FlaskClient):
    bodies = [
        body
        for number in range(10)
        for body in (paid(f"in_{number}"), *(failed(each, f"in_{number}") for each in range(1, 4)))
    ]
    bodies = random.sample(bodies * 2, k=2 * len(bodies))
    answers = at_once(len(bodies), lambda n: deliver(any_app.test_client(), bodies[n]))
    assert {each.status_code for each in answers} == {200}
    assert Counter(states(any_app))["queued"] == 0


@pytest.mark.parametrize("about", [None, "", {}, "i" * 300, "in\u0000"])
def test_a_payment_of_no_invoice_is_kept_as_rejected(any_app: Flask, about: object):
    body = event(PAID, invoice(id=about), id="evt_1")
    for _ in range(2):
        assert deliver(any_app.test_client(), body).status_code == 200
    with any_app.app_context():
        kept = db.session.execute(text("SELECT outcome FROM received_events")).scalars()
        assert list(kept) == ["rejected"]
