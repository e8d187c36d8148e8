"""The fixture and the assertions that cloners test with."""

import socket
from typing import Any

import pytest
from flask import Flask

import outbox
from background import send_in_background, send_many_in_background
from extensions import db, email
from message import EmailMessage
from outbox import State
from testing import assert_email_sent, assert_no_email_sent
from tests.conftest import MakeApp

REAL = {
    "EMAIL_PROVIDER": "sendgrid",
    "SENDGRID_API_KEY": "SG.x",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "RATELIMIT_STORAGE_URI": "memory://",
}


def hello(to: str = "ann@example.com", **fields: Any) -> EmailMessage:
    return EmailMessage(to=to, **{"subject": "Hi", "html": "<p>Hi</p>"} | fields)


@pytest.fixture
def context(app: Flask):
    with app.app_context():
        yield app


def test_emails_of_both_kinds_are_captured_in_order_and_with_their_sender(
    context: Flask, outbox_emails: list[EmailMessage]
):
    in_background, now = hello("a@example.com"), hello("b@example.com")
    row = send_in_background(in_background)
    assert outbox_emails == []
    db.session.commit()
    receipt = email.send(now)
    assert [each.id for each in outbox_emails] == [in_background.id, now.id] == [row.id, now.id]
    assert {str(each.from_email) for each in outbox_emails} == {str(context.config["FROM_EMAIL"])}
    assert receipt.message_id == now.id


def test_those_that_are_queued_together_are_captured_too(
    context: Flask, outbox_emails: list[EmailMessage]
):
    messages = [hello("a@example.com"), hello("b@example.com")]
    send_many_in_background(messages)
    db.session.commit()
    assert [each.id for each in outbox_emails] == [each.id for each in messages]


@pytest.mark.parametrize("mode", ["sync", "thread", "celery"])
def test_nothing_leaves_the_process_even_when_delivery_is_run_by_hand(
    make_app: MakeApp,
    outbox_emails: list[EmailMessage],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a name was looked up"))
    with make_app(**REAL, EMAIL_DELIVERY=mode).app_context():
        row = send_in_background(hello())
        db.session.commit()
        email.send(hello())
        assert row.state == State.QUEUED
        email_id = row.id
        db.session.rollback()  # an open transaction would keep delivery waiting on SQLite
        outbox.deliver(email_id)
        assert row.state == State.ACCEPTED
    assert len(outbox_emails) == 2


def test_what_is_rolled_back_was_never_sent(context: Flask, outbox_emails: list[EmailMessage]):
    send_in_background(hello("gone@example.com"))
    db.session.rollback()
    send_in_background(hello("kept@example.com"))
    savepoint = db.session.begin_nested()
    send_in_background(hello("undone@example.com"))
    savepoint.rollback()
    with db.session.begin_nested():
        send_in_background(hello("released@example.com"))
    assert_no_email_sent(outbox_emails)
    db.session.commit()
    sent = [each.to[0].email for each in outbox_emails]
    assert sent == ["kept@example.com", "released@example.com"]


ONE = hello("Ann <ann@example.com>", cc="boss@example.com", subject="Your order 42")
TWO = hello(
    "bob@example.com", subject="Your order 43", html="<p>Tom &amp; Jerry's\n  long line</p>"
)
PLAIN = EmailMessage(to="cat@example.com", subject="Plain", text="only text here")
SENT = [ONE, TWO, PLAIN]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"to": "ann@example.com"}, ONE),
        ({"to": "ANN@Example.com"}, ONE),
        ({"to": "boss@example.com"}, ONE),
        ({"subject": "43"}, TWO),
        ({"contains": "Tom & Jerry's long line"}, TWO),
        ({"contains": "only text"}, PLAIN),
        ({"to": "bob@example.com", "subject": "order", "contains": "Tom"}, TWO),
    ],
)
def test_the_email_that_matches_is_returned(wanted: dict[str, str], found: EmailMessage):
    assert assert_email_sent(SENT, **wanted) is found


@pytest.mark.parametrize(
    ("sent", "wanted", "count"),
    [
        (SENT, {"to": "nobody@example.com"}, 0),
        (SENT, {"to": "ann@example"}, 0),
        (SENT, {"subject": "order"}, 2),
        (SENT, {"contains": "order 42"}, 0),
        (SENT, {"to": "ann@example.com", "subject": "43"}, 0),
        ([], {}, 0),
    ],
)
def test_a_failure_lists_what_was_wanted_and_what_was_sent(
    sent: list[EmailMessage], wanted: dict[str, str], count: int
):
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_email_sent(sent, **wanted)
    text = str(failure.value)
    assert text.startswith(f"{count} emails match ")
    assert all(f"{name}={value!r}" in text for name, value in wanted.items())
    assert text.endswith("cat@example.com: Plain" if sent else "sent were:\n  none")


def test_no_email_means_none_or_none_to_an_address():
    assert_no_email_sent([])
    assert_no_email_sent([ONE], to="bob@example.com")
    for options in ({}, {"to": "Boss@example.com"}):
        with pytest.raises(pytest.fail.Exception, match="Your order 42"):
            assert_no_email_sent([ONE], **options)
