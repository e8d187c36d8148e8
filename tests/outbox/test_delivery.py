"""What every delivery mode does on every database. The provider is real HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest

from background import send_in_background
from database import db, utc_now
from message import EmailMessage
from outbox import running
from outbox.tables import State
from tests.outbox.conftest import Delivery


def message(recipient: str, **fields: object) -> EmailMessage:
    return EmailMessage(to=recipient, subject="Hello", html="<p>Hello</p>", **fields)  # type: ignore[arg-type]


def someone(word: str = "ann") -> str:
    return f"{word}@{uuid4().hex[:12]}.example.com"


def test_a_committed_email_is_accepted_once_with_the_providers_id(delivery: Delivery):
    recipient = someone()
    row = delivery.wait_for(delivery.send(message(recipient)), State.ACCEPTED)
    [record] = delivery.accepted(recipient)
    assert (row.provider, row.provider_message_id) == ("resend", record["id"])
    assert record["idempotency_key"] == row.id
    assert row.attempts == 1
    assert row.accepted_at is not None


def test_a_rollback_leaves_no_row_and_sends_nothing(delivery: Delivery):
    rolled_back, later = someone(), someone()
    with delivery.app.app_context():
        send_in_background(message(rolled_back))
        db.session.rollback()
        email_id = send_in_background(message(later)).id
        db.session.commit()
    delivery.wait_for(email_id, State.ACCEPTED)
    assert delivery.accepted(rolled_back) == []


def test_nothing_is_woken_by_a_savepoint_and_a_rolled_back_one_is_forgotten(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
):
    woken: list[str] = []
    kept, dropped = message(someone()), message(someone())
    with delivery.app.app_context(), monkeypatch.context() as patch:
        patch.setattr(running, "wake", woken.extend)
        with db.session.begin_nested():
            send_in_background(kept)
        savepoint = db.session.begin_nested()
        with db.session.begin_nested():
            send_in_background(dropped)
        savepoint.rollback()
        assert woken == []
        db.session.commit()
    assert woken == [kept.id]


def test_a_temporary_failure_is_tried_again(delivery: Delivery):
    recipient = someone("500-1")
    email_id = delivery.send(message(recipient))
    waiting = delivery.wait_for_attempts(email_id, 1)
    assert "provider_unavailable" in str(waiting.last_error)
    delivery.hasten(email_id)
    row = delivery.wait_for(email_id, State.ACCEPTED)
    assert [each.outcome for each in row.tries] == ["provider_unavailable", "accepted"]
    assert len(delivery.accepted(recipient)) == 1


def test_a_rate_limit_costs_no_attempt(delivery: Delivery):
    email_id = delivery.send(message(someone("429-1")))
    delivery.wait_for_attempts(email_id, 1)
    delivery.hasten(email_id)
    row = delivery.wait_for(email_id, State.ACCEPTED)
    assert [each.outcome for each in row.tries] == ["rate_limited", "accepted"]
    assert row.attempts == 1


def test_a_refused_message_fails_with_the_providers_words(delivery: Delivery):
    row = delivery.wait_for(delivery.send(message(someone("422"))), State.FAILED)
    assert "validation_error" in str(row.last_error)
    assert row.tries[0].http_status == 422


def test_a_refused_key_fails_no_email(delivery: Delivery):
    email_id = delivery.send(message(someone("401")))
    row = delivery.wait_for_attempts(email_id, 1)
    assert (row.state, row.attempts) == (State.QUEUED, 0)
    delivery.give_up(email_id)


def test_an_answer_that_got_lost_is_repeated_with_the_same_key(delivery: Delivery):
    recipient = someone("drop-after-accept-1")
    email_id = delivery.send(message(recipient))
    assert delivery.wait_for_attempts(email_id, 1).tries[0].outcome == "outcome_unknown"
    delivery.hasten(email_id)
    row = delivery.wait_for(email_id, State.ACCEPTED)
    [record] = delivery.accepted(recipient)
    assert row.provider_message_id == record["id"]
    assert len({each.wire_hash for each in row.tries}) == 1


def test_an_email_for_later_waits(delivery: Delivery):
    later, now = someone(), someone()
    scheduled = delivery.send(message(later, send_at=utc_now() + timedelta(hours=1)))
    delivery.wait_for(delivery.send(message(now)), State.ACCEPTED)
    assert delivery.row(scheduled).state == State.QUEUED
    delivery.hasten(scheduled)
    delivery.wait_for(scheduled, State.ACCEPTED)


def test_what_another_host_made_waits_until_somebody_adopts_it(delivery: Delivery):
    recipient = someone()
    with delivery.app.app_context():
        row = send_in_background(message(recipient))
        row.host = "app.example.com"
        db.session.commit()
        email_id = row.id
    delivery.wait_for(delivery.send(message(someone())), State.ACCEPTED)
    assert (delivery.row(email_id).state, delivery.accepted(recipient)) == (State.QUEUED, [])
    command = ["email", "adopt", "--from", "https://app.example.com"]
    assert delivery.app.test_cli_runner().invoke(args=command).output.startswith("1 emails")
    delivery.wait_for(email_id, State.ACCEPTED)
    assert len(delivery.accepted(recipient)) == 1


def test_an_email_past_its_expiry_is_not_sent(delivery: Delivery):
    recipient = someone()
    email_id = delivery.send(message(recipient, expires_at=utc_now() - timedelta(seconds=1)))
    delivery.wait_for(email_id, State.EXPIRED)
    assert delivery.accepted(recipient) == []
