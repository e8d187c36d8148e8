"""Stripe's webhook: which event sends which email, once; what is refused; what is tried again."""

import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

import outbox
from extensions import db
from message import EmailMessage
from outbox import OutboxEmail
from testing import assert_email_sent, assert_no_email_sent
from tests.blueprints.conftest import at_once, stored
from tests.blueprints.stripe_events import (
    SECRET,
    checkout,
    deliver,
    event,
    invoice,
    signature,
)
from tests.conftest import MakeApp
from webhooks import ReceivedEvent

COMPLETED = "checkout.session.completed"
ASYNC = "checkout.session.async_payment_succeeded"
FAILED = "invoice.payment_failed"
RECEIVED = {"received": True}
NOW = int(time.time())


def outcomes(app: Flask) -> list[str]:
    with app.app_context():
        rows = select(ReceivedEvent.outcome).order_by(ReceivedEvent.id)
        return list(db.session.scalars(rows))


RECEIPTS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({}, "ann@example.com", ["$29.00", "Pro", "March 14, 2026", "/billing"]),
    ({"amount_total": 1000, "currency": "jpy"}, "ann@example.com", ["¥1,000"]),
    ({"amount_total": 1500, "currency": "kwd"}, "ann@example.com", ["1.500"]),
    ({"customer_email": "old@example.com"}, "ann@example.com", []),
    ({"customer_email": "old@example.com", "customer_details": None}, "old@example.com", []),
    (
        {"customer_email": "old@example.com", "customer_details": {"email": None}},
        "old@example.com",
        [],
    ),
    ({"metadata": {"plan": "Team"}}, "ann@example.com", ["Team"]),
    ({"metadata": None}, "ann@example.com", ["Pro"]),
    ({"invoice_url": "https://pay.example/i"}, "ann@example.com", ["https://pay.example/i"]),
    ({"invoice_url": "javascript:alert(1)"}, "ann@example.com", ["/billing"]),
]


@pytest.mark.parametrize(("change", "to", "words"), RECEIPTS)
def test_a_paid_checkout_sends_its_receipt(
    client: FlaskClient,
    outbox_emails: list[EmailMessage],
    change: dict[str, Any],
    to: str,
    words: list[str],
):
    answer = deliver(client, event(COMPLETED, checkout(**change)))
    assert (answer.status_code, answer.get_json()) == (200, RECEIVED)
    message = assert_email_sent(outbox_emails, to=to, subject="Receipt for")
    for word in words:
        assert word in message.text
        assert word in message.html
    assert "javascript" not in message.html


NOTHING_DUE = "no_payment_required"
SET_UP = checkout(mode="setup", payment_status=NOTHING_DUE, amount_total=None, currency=None)
THIN = {
    "id": "evt_test_1",
    "object": "v2.core.event",
    "type": "v1.billing.meter.error_report_triggered",
    "created": "2026-03-14T00:00:00.000Z",
    "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/1"},
}
NO_EMAIL: dict[str, tuple[dict[str, Any], str]] = {
    "not paid yet": (event(COMPLETED, checkout(payment_status="unpaid")), "applied"),
    "nothing to pay": (event(COMPLETED, checkout(payment_status=NOTHING_DUE)), "applied"),
    "set up only": (event(COMPLETED, SET_UP), "applied"),
    "later failed": (event("checkout.session.async_payment_failed", checkout()), "ignored"),
    "invoice paid": (event("invoice.paid", invoice()), "applied"),
    "unknown": (event("climate.order.created", {"id": "climorder_1"}), "ignored"),
    "thin": (THIN, "ignored"),
}


@pytest.mark.parametrize("name", NO_EMAIL)
def test_an_event_that_asks_for_no_email_is_received_and_sends_none(
    client: FlaskClient, app: Flask, outbox_emails: list[EmailMessage], name: str
):
    body, outcome = NO_EMAIL[name]
    answer = deliver(client, body)
    assert (answer.status_code, answer.get_json()) == (200, RECEIVED)
    assert_no_email_sent(outbox_emails)
    assert outcomes(app) == [outcome]


ONE_RECEIPT = {
    "the same event three times": [event(COMPLETED, checkout())] * 3,
    "completed, then paid later": [
        event(COMPLETED, checkout(payment_status="unpaid")),
        event(ASYNC, checkout()),
    ],
    "both say paid": [event(COMPLETED, checkout()), event(ASYNC, checkout())],
    "the other way round": [event(ASYNC, checkout()), event(COMPLETED, checkout())],
    "two events about one thing": [
        event(COMPLETED, checkout(), id="evt_1"),
        event(COMPLETED, checkout(), id="evt_2"),
    ],
}


@pytest.mark.parametrize("name", ONE_RECEIPT)
def test_one_checkout_is_one_receipt(
    client: FlaskClient, outbox_emails: list[EmailMessage], name: str
):
    for each in ONE_RECEIPT[name]:
        assert deliver(client, each).status_code == 200
    assert len(outbox_emails) == 1


def test_each_failed_attempt_is_told_once(client: FlaskClient, outbox_emails: list[EmailMessage]):
    for attempt in (1, 2):
        for _ in range(2):
            failed = event(FAILED, invoice(attempt_count=attempt), id=f"evt_{attempt}")
            assert deliver(client, failed).status_code == 200
    assert len(outbox_emails) == 2
    message = outbox_emails[0]
    for word in ("$29.00", "March 17, 2026", "https://invoice.stripe.com/i/acct_1/live_1"):
        assert word in message.text
        assert word in message.html


def test_a_last_failed_attempt_and_a_draft_name_neither_a_date_nor_a_dead_link(
    client: FlaskClient, outbox_emails: list[EmailMessage]
):
    last = invoice(next_payment_attempt=None, hosted_invoice_url=None)
    deliver(client, event(FAILED, last))
    assert "/billing" in outbox_emails[0].text
    assert "None" not in outbox_emails[0].text + outbox_emails[0].html


def test_any_of_several_secrets_will_do_while_one_is_rolled(make_app: MakeApp):
    client = make_app(STRIPE_WEBHOOK_SECRET="whsec_old, whsec_new").test_client()
    body = json.dumps(event("ping", {"id": "1"}))
    old, new, gone = (signature(body, f"whsec_{name}", at=NOW) for name in ("old", "new", "gone"))
    stamp, old_v1 = old.split(",")
    both = [f"{gone},{old_v1}", f"{stamp},{old_v1},{gone.split(',')[1]}"]
    for header in (old, new, *both):
        assert deliver(client, body, header).status_code == 200
    assert deliver(client, body, gone).status_code == 400


def test_without_a_secret_the_webhook_answers_503_and_never_skips_the_check(make_app: MakeApp):
    closed = make_app()
    answer = deliver(closed.test_client(), event(COMPLETED, checkout()))
    assert answer.status_code == 503
    assert "STRIPE_WEBHOOK_SECRET" in answer.get_json()["error"]
    assert stored(closed, ReceivedEvent) == 0


BODY = json.dumps(event(COMPLETED, checkout()))
GOOD = signature(BODY)
TIME, V1 = GOOD.split(",")
BAD_SIGNATURES = [
    "", " ", ",", ",,,", "=", "t", "t=", "v1=", "{}", TIME, V1, f"{TIME},v1=", f"{V1},{V1}",
    f"{TIME},{V1.replace('v1', 'v0')}", f"{TIME},{V1.replace('v1', 'V1')}", f"{TIME};{V1}",
    f"{TIME}, {V1}", f"{TIME},{V1.upper()}", f"{TIME},{V1}é", f"{TIME},v1=é", f"{TIME},{V1[:-1]}",
    f"{TIME},{TIME},{V1}", f"t=0,{V1}", f"t=,{V1}", f"t=nan,{V1}", f"t=inf,{V1}", f"t=1e9,{V1}",
    f"t=0x10,{V1}", f"t=+{NOW},{V1}", f"t=1_0,{V1}", f"t={'9' * 400},{V1}", f"t={'9' * 5000},{V1}",
    f"t=²,{V1}", "," * 10_000, f"{TIME}{',v1=0' * 1000}", signature(BODY + " "),
    signature(BODY, "whsec_wrong"), signature(BODY, at=NOW - 400), signature(BODY, at=NOW + 86_400),
    signature(BODY, at=NOW - 86_400),
]  # fmt: skip


def test_every_bad_signature_gets_the_same_400(client: FlaskClient, app: Flask):
    answers = {deliver(client, BODY, header).data for header in BAD_SIGNATURES}
    answers.add(client.post("/api/webhooks/stripe", data=BODY).data)
    assert len(answers) == 1
    statuses = {deliver(client, BODY, header).status_code for header in BAD_SIGNATURES}
    assert statuses == {400}
    assert stored(app, ReceivedEvent) == stored(app, OutboxEmail) == 0


BAD_PAYLOADS = [
    "", " ", "{", "[]", "null", '"x"', "1", "NaN", "{}", "[" * 100_000, '{"a":' * 100_000,
    '{"id": 1, "type": "ping"}', '{"id": "evt_1"}', '{"type": "ping"}',
    '{"id": "", "type": "ping"}', '{"id": "evt_1", "type": []}', '{"id": "evt_1", "type": null}',
    '{"id": "evt\\u0000", "type": "ping"}', '{"id": "evt_1", "type": "p\\ud800"}',
    '{"id": "evt 1", "type": "ping"}', '{"id": "' + "e" * 256 + '", "type": "ping"}',
    '{"id": "evt_1", "type": "ping", "n": ' + "9" * 5000 + "}", '{"id": "e\nvt", "type": "ping"}',
    "\ufeff{}",
]  # fmt: skip


def test_every_signed_payload_that_is_no_event_gets_the_same_400(any_app: Flask):
    client = any_app.test_client()
    answers = [deliver(client, payload) for payload in BAD_PAYLOADS]
    assert {(each.status_code, each.data) for each in answers} == {(400, answers[0].data)}
    assert stored(any_app, ReceivedEvent) == 0


def test_a_payload_that_is_not_utf_8_is_400_even_when_it_is_signed(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
):
    payload = b'{"id": "evt_\xff", "type": "ping"}'
    mac = hmac.new(SECRET.encode(), f"{NOW}.".encode() + payload, hashlib.sha256).hexdigest()
    assert deliver(client, payload, f"t={NOW},v1={mac}").status_code == 400
    assert "webhook_payload_invalid" in caplog.text


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_are_405(client: FlaskClient, method: str):
    assert client.open("/api/webhooks/stripe", method=method.upper()).status_code == 405


UNUSABLE_CHECKOUTS: list[dict[str, Any]] = [
    {"customer_details": None},
    {"customer_details": "ann@example.com"},
    {"customer_details": {"email": "not an address"}},
    {"customer_details": {"email": "a@b.co\nBcc: c@d.co"}},
    {"customer_details": {"email": "a\u0000@b.co"}},
    {"customer_details": {"email": ["a@b.co"]}},
    {"amount_total": None},
    {"amount_total": "2900"},
    {"amount_total": 29.0},
    {"amount_total": True},
    {"amount_total": 10**15},
    {"currency": None},
    {"currency": ["usd"]},
    {"currency": "us\u0000"},
    {"currency": "us\nd"},
    {"metadata": {"plan": "Pro\u0000"}},
    {"metadata": {"plan": "Pro\ud800"}},
    {"invoice_url": "https://example.com/\u0000"},
    {"id": None},
    {"id": {}},
    {"id": "c" * 300},
    {"id": "cs\u0000"},
]
UNUSABLE_INVOICES: list[dict[str, Any]] = [
    {"customer_email": None},
    {"amount_due": None},
    {"currency": None},
    {"id": None},
    {"attempt_count": "1\u0000"},
    {"attempt_count": {"a": ["x" * 300]}},
]
POISON = [
    *((COMPLETED, checkout(**change)) for change in UNUSABLE_CHECKOUTS),
    *((FAILED, invoice(**change)) for change in UNUSABLE_INVOICES),
]


def test_genuine_events_with_useless_data_are_kept_as_rejected_and_not_sent_again(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    client = any_app.test_client()
    bodies = [event(kind, about, id=f"evt_{n}") for n, (kind, about) in enumerate(POISON)]
    holders: tuple[Any, ...] = (None, [], {}, "x", {"object": None}, {"object": [1]})
    bodies += [event(COMPLETED, None, id=f"evt_h{n}", data=data) for n, data in enumerate(holders)]
    for body in bodies:
        for _ in range(2):
            assert (body["data"], deliver(client, body).status_code) == (body["data"], 200)
    assert_no_email_sent(outbox_emails)
    assert outcomes(any_app) == ["rejected"] * len(bodies)
    assert stored(any_app, OutboxEmail) == 0


ODD: list[dict[str, Any]] = [
    {"amount_total": 0},
    {"amount_total": -2900},
    {"amount_total": 10**15 - 1},
    {"currency": "USD"},
    {"currency": "%s{}¤#;'"},
    {"currency": "x" * 5000},
    {"metadata": {"plan": "<b>{{ 7*7 }}</b>\n" * 50}},
    {"metadata": {"plan": "😀" * 5000}},
]


@pytest.mark.parametrize("change", ODD, ids=range(len(ODD)))
def test_odd_but_usable_data_still_gets_its_receipt(
    client: FlaskClient, outbox_emails: list[EmailMessage], change: dict[str, Any]
):
    assert deliver(client, event(COMPLETED, checkout(**change))).status_code == 200
    assert len(outbox_emails) == 1
    assert "<b>" not in outbox_emails[0].html or "plan" not in str(change)


@pytest.mark.parametrize("created", [None, "2026-03-14", -1, 0, 10**30, 1.5, [], True])
def test_a_strange_time_of_the_event_costs_nobody_their_receipt(
    client: FlaskClient, outbox_emails: list[EmailMessage], created: Any
):
    assert deliver(client, event(COMPLETED, checkout(), created=created)).status_code == 200
    assert len(outbox_emails) == 1


def test_many_deliveries_at_once_have_one_effect_each(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    events = [event(COMPLETED, checkout(id=f"cs_{n}")) for n in range(20)]
    answers = at_once(160, lambda n: deliver(any_app.test_client(), events[n // 8]))
    assert {each.status_code for each in answers} == {200}
    assert len(outbox_emails) == stored(any_app, OutboxEmail) == 20
    assert outcomes(any_app) == ["applied"] * 20


Refusing = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def lone_app(make_app: MakeApp, database_url: str) -> Flask:
    """An app whose database no other test uses."""
    return make_app(DATABASE_URL=database_url, STRIPE_WEBHOOK_SECRET=SECRET)


@pytest.fixture
def refusing(lone_app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Refusing:
    """While it is entered the database takes no writes: locked, or read-only as a stand-by is."""
    monkeypatch.setattr("database.sqlite.BUSY_TIMEOUT", 20)

    @contextmanager
    def locked() -> Iterator[None]:
        holder = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")
        holder.close()

    @contextmanager
    def read_only() -> Iterator[None]:
        _set_read_only(lone_app, database_url, "on")
        yield
        _set_read_only(lone_app, database_url, "off")

    return locked if database_url.startswith("sqlite") else read_only


def _set_read_only(app: Flask, url: str, word: str) -> None:
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {word}")
    with app.app_context():
        db.session.remove()
        db.engine.dispose()  # connections learn of it when they are made


def test_while_the_database_refuses_stripe_is_told_to_come_back_and_its_redelivery_counts(
    lone_app: Flask, refusing: Refusing, outbox_emails: list[EmailMessage]
):
    client = lone_app.test_client()
    paid = event(COMPLETED, checkout())
    with refusing():
        answer = deliver(client, paid)
    assert (answer.status_code, answer.is_json) == (503, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert_no_email_sent(outbox_emails)
    assert deliver(client, paid).status_code == 200
    assert len(outbox_emails) == 1


def test_while_the_database_refuses_nothing_is_accepted_anywhere(
    lone_app: Flask, refusing: Refusing, outbox_emails: list[EmailMessage]
):
    client = lone_app.test_client()
    form = {"name": "Ann", "email": "ann@example.com", "password": "long enough", "message": "Hi"}
    with refusing():
        for path in ("/api/send", "/api/signup"):
            assert client.post(path, json=form).status_code == 503
        for path in ("/signup", "/contact"):
            answer = client.post(path, data=form)
            assert (answer.status_code, answer.mimetype) == (503, "text/html")
        assert client.get("/").status_code == 200
    assert_no_email_sent(outbox_emails)
    assert stored(lone_app, OutboxEmail) == 0
    assert client.post("/api/send", json=form).status_code == 202


def test_a_paid_checkout_makes_a_customer_of_the_subscriber_once(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    client = any_app.test_client()
    for _ in range(3):
        deliver(client, event("checkout.session.completed", checkout()))
    deliver(
        client, event("checkout.session.completed", checkout(id="cs_2", payment_status="unpaid"))
    )
    with any_app.app_context():
        [change] = outbox.reading.recent(db.session(), outbox.OutboxChange)
        assert (change.kind, change.message["tag"]) == ("add-tag", "customer")
        assert change.recipient == "ann@example.com"
