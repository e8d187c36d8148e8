"""Every event once: it and its effect are stored together, or neither is."""

import pytest
from flask import Flask
from sqlalchemy import select

import webhooks
from background import send_in_background
from errors import InvalidMessage
from extensions import db
from message import EmailMessage
from outbox import OutboxEmail
from providers import RawEvent, UnusableEvent
from testing import assert_no_email_sent
from webhooks import EventOutcome, EventsFailed, ReceivedEvent


def hello() -> None:
    send_in_background(EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>"))


def then_reject() -> None:
    hello()
    raise UnusableEvent("amount is missing")


def then_refuse() -> None:
    hello()
    raise InvalidMessage("to is empty", field="to")


def then_break() -> None:
    hello()
    raise ZeroDivisionError


def receive(effect, *, source: str = "stripe", event_id: str = "evt_1") -> EventOutcome:
    item = RawEvent(event_id=event_id, type="ping", data={"id": "evt_1"})
    [outcome] = webhooks.receive(source, [item], lambda _: effect)
    return outcome


def rows() -> list[tuple[str, str | None]]:
    found = db.session.execute(select(ReceivedEvent.outcome, ReceivedEvent.error))
    return [(row[0], row[1]) for row in found]


def test_an_event_has_its_effect_once(any_app: Flask, outbox_emails: list[EmailMessage]):
    with any_app.app_context():
        assert [receive(hello), receive(hello)] == [EventOutcome.APPLIED, EventOutcome.DUPLICATE]
        assert rows() == [("applied", None)]
        stored = db.session.scalars(select(ReceivedEvent)).one()
        assert (stored.source, stored.event_id, stored.type) == ("stripe", "evt_1", "ping")
        assert stored.payload == '{"id": "evt_1"}'
    assert len(outbox_emails) == 1


def test_two_sources_may_use_the_same_id(any_app: Flask, outbox_emails: list[EmailMessage]):
    with any_app.app_context():
        assert receive(hello, source="stripe") == receive(hello, source="resend") == "applied"
    assert len(outbox_emails) == 2


def test_an_event_that_is_not_for_us_is_kept_and_has_no_effect(any_app: Flask):
    with any_app.app_context():
        assert [receive(None), receive(None)] == [EventOutcome.IGNORED, EventOutcome.DUPLICATE]
        assert rows() == [("ignored", None)]


@pytest.mark.parametrize(
    ("effect", "error"), [(then_reject, "amount is missing"), (then_refuse, "to is empty")]
)
def test_what_a_rejected_event_began_is_undone_and_the_reason_kept(
    any_app: Flask, outbox_emails: list[EmailMessage], effect, error: str
):
    with any_app.app_context():
        assert [receive(effect), receive(effect)] == [EventOutcome.REJECTED, EventOutcome.DUPLICATE]
        assert rows() == [("rejected", error)]
        assert db.session.scalars(select(OutboxEmail)).all() == []
    assert_no_email_sent(outbox_emails)


def test_any_other_failure_leaves_nothing_so_that_the_next_delivery_counts(
    any_app: Flask, outbox_emails: list[EmailMessage], caplog: pytest.LogCaptureFixture
):
    with any_app.app_context():
        with pytest.raises(EventsFailed, match="1 of 1 events of stripe"):
            receive(then_break)
        assert "ZeroDivisionError" in caplog.text
        db.session.rollback()
        assert rows() == []
        assert_no_email_sent(outbox_emails)
        assert receive(hello) == EventOutcome.APPLIED
    assert len(outbox_emails) == 1


def test_a_commit_that_fails_leaves_nothing_either(
    any_app: Flask, outbox_emails: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
):
    def fail() -> None:
        raise OSError("the disk is full")

    with any_app.app_context():
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(db.session, "commit", fail)
            with pytest.raises(OSError, match="full"):
                receive(hello)
        db.session.rollback()
        assert_no_email_sent(outbox_emails)
        assert receive(hello) == EventOutcome.APPLIED
    assert len(outbox_emails) == 1
