"""What is not kept: bodies, rows, and everything about one person. On both databases."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

import emails
import outbox
import webhooks
from database import Limit, transaction, utc_now
from errors import OutcomeUnknown
from message import Attachment, from_json
from outbox import retention
from outbox.delivery import finish
from outbox.enqueue import enqueue_many
from outbox.tables import Attempt, EmailEvent, OutboxBody, OutboxEmail, OutboxRow, State
from providers import EventType, RawEvent, TrackingEvent
from tests.conftest import MakeApp
from tests.outbox.conftest import app as app
from tests.outbox.rows import answer, change, claim, count, message, queue, row, stop, yes
from tests.webhooks.reports import apply_reports, report_bounce
from webhooks import ReceivedEvent, receive

ANN = "ann@example.com"
DAY = timedelta(days=1)
A_FILE = Attachment(filename="a.txt", content=b"long")


def aged(days: float, **values: Any) -> str:
    email_id = queue()
    change(email_id, created_at=utc_now() - days * DAY, **{"state": State.ACCEPTED, **values})
    return email_id


def test_old_bodies_are_removed_and_the_rest_of_the_row_stays(app: Flask):
    old, young = aged(15), aged(13)
    with transaction() as session:
        assert sum(retention.remove_bodies(session, older_than=14 * DAY)) == 1
        assert sum(retention.remove_bodies(session, older_than=14 * DAY)) == 0
    assert (row(old).message["html"], row(young).message["html"]) == ("", "<p>Hi</p>")
    assert from_json(row(old).message).to[0].email == ANN
    assert (row(old).subject, row(old).redacted_at is not None) == ("Hi", True)


def test_nobody_waits_for_more_than_500_rows(app: Flask):
    with transaction() as session:
        enqueue_many(session, [message(attachments=[A_FILE]) for _ in range(501)])
        long_ago = utc_now() - 100 * DAY
        session.execute(update(OutboxEmail).values(state=State.FAILED, created_at=long_ago))
        assert list(outbox.actions.retry_failed(session)) == [500, 1]
        session.execute(update(OutboxEmail).values(state=State.FAILED))
        assert list(retention.remove_bodies(session, older_than=DAY)) == [500, 1]
        assert list(outbox.actions.retry_failed(session)) == []
        bodies = session.scalars(select(OutboxBody.message)).all()
        assert [each["attachments"] for each in bodies] == [[]] * 501
        assert list(retention.remove_rows(session, older_than=DAY)) == [500, 1]
    assert (count(OutboxRow), count(OutboxBody), count(EmailEvent)) == (0, 0, 0)


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.UNKNOWN])
def test_what_is_not_done_with_stays_whole_whatever_its_age(app: Flask, state: State):
    email_id = aged(1000, state=state)
    with transaction() as session:
        assert sum(retention.remove_bodies(session, older_than=DAY)) == 0
        assert sum(retention.remove_rows(session, older_than=DAY)) == 0
    assert row(email_id).message["html"] == "<p>Hi</p>"


def test_old_rows_go_with_their_attempts_and_events(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    answer(monkeypatch, yes())
    finish(claim(5))
    report_bounce(email_id)
    receive("resend", [RawEvent(event_id="evt_old", type="x", data={})], lambda _: None)
    assert (count(Attempt), count(EmailEvent), count(ReceivedEvent)) == (1, 2, 1)
    young = aged(1)  # suppressed, as its own event says
    with transaction() as session:
        for table, column in ((OutboxEmail, "created_at"), (ReceivedEvent, "received_at")):
            for each in session.scalars(select(table)):
                if getattr(each, "id", "") != young:
                    setattr(each, column, utc_now() - 91 * DAY)
    with transaction() as session:
        assert sum(retention.remove_rows(session, older_than=90 * DAY)) == 1
        sum(webhooks.remove_old(session, older_than=DAY))  # 30 days at least, whatever is asked
    assert (count(OutboxRow), count(Attempt), count(EmailEvent), count(ReceivedEvent)) == (
        1, 0, 1, 0,
    )  # fmt: skip


def test_an_email_without_its_body_is_not_sent_again(app: Flask):
    email_id = aged(15, state=State.FAILED)
    with transaction() as session:
        sum(retention.remove_bodies(session, older_than=14 * DAY))
        assert not outbox.actions.retry(session, email_id)
        assert sum(outbox.actions.retry_failed(session)) == 0
    assert row(email_id).state == State.FAILED


class TestSensitiveBodies:
    """The body of a reset email is a key; in production it goes once the provider has it."""

    @pytest.fixture
    def app(self, make_app: MakeApp, database_url: str, request: pytest.FixtureRequest) -> Any:
        app = make_app(
            DATABASE_URL=database_url, FLASK_DEBUG=False, APP_URL="https://app.example.com",
            SECRET_KEY="of these tests" * 3, FROM_EMAIL="Shop <shop@example.com>",
            EMAIL_PROVIDER="sendgrid", SENDGRID_API_KEY="SG.x", TESTING=True,
        )  # fmt: skip
        with app.app_context():
            yield app

    def reset(self, *limited_by: Limit) -> str:
        link = "https://app.example.com/reset-password?token=secret"
        with transaction() as session:
            message = emails.password_reset(to=ANN, reset_url=link)
            return outbox.enqueue(session, message, limited_by=limited_by).id

    def test_they_go_once_accepted(self, app: Flask, monkeypatch: pytest.MonkeyPatch):
        email_id, other = self.reset(), queue()
        assert "secret" in row(email_id).message["html"]
        answer(monkeypatch, yes("sendgrid"), yes("sendgrid"))
        finish(claim(5))
        assert "secret" not in json.dumps(row(email_id).message)
        assert row(email_id).redacted_at
        assert row(other).message["html"] == "<p>Hi</p>"

    def test_they_stay_while_nobody_knows(self, app: Flask):
        email_id = self.reset()
        change(email_id, state=State.UNKNOWN, pinned=True, provider="sendgrid")
        assert "secret" in row(email_id).message["html"]

    @pytest.mark.parametrize("when", ["before", "after", "too many"])
    def test_they_go_at_once_where_the_email_is_suppressed(self, app: Flask, when: str):
        """Before it was asked for, while it waited, or because too many were."""
        if when == "too many":
            for _ in range(3):
                self.reset(Limit("resets", ANN, 3))
        if when == "before":
            stop(ANN)
        email_id = self.reset(Limit("resets", ANN, 3))
        if when == "after":
            stop(ANN)
            assert claim(5) == []
        assert row(email_id).state == State.SUPPRESSED
        assert "secret" not in json.dumps(row(email_id).message)
        assert row(email_id).redacted_at

    @pytest.mark.parametrize("how", ["event", "person"])
    def test_they_go_once_somebody_says_that_it_was_accepted(self, app: Flask, how: str):
        email_id = self.reset()
        change(email_id, state=State.UNKNOWN, pinned=True, provider="sendgrid")
        delivered = TrackingEvent(
            provider="sendgrid", event_id="e", type=EventType.DELIVERED, at=utc_now(),
            email_id=email_id,
        )  # fmt: skip
        with transaction() as session:
            if how == "event":
                apply_reports(session, [delivered])
            else:
                outbox.actions.resolve_as_sent(session, email_id)
        assert row(email_id).state == State.ACCEPTED
        assert "secret" not in json.dumps(row(email_id).message)


def test_in_development_nothing_is_blanked_so_that_the_link_can_be_clicked(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(sensitive=True)
    answer(monkeypatch, yes())
    finish(claim(5))
    assert row(email_id).state == State.ACCEPTED
    assert row(email_id).message["html"] == message().html


def test_an_event_during_the_call_answers_what_the_call_did_not(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(sensitive=True)
    claimed = claim(1)
    delivered = TrackingEvent(
        provider="resend", event_id="e", type=EventType.DELIVERED, at=utc_now(), email_id=email_id,
    )  # fmt: skip
    with transaction() as session:
        apply_reports(session, [delivered])
    answer(monkeypatch, OutcomeUnknown("sendgrid did not answer", provider="sendgrid"))
    finish(claimed)
    assert (row(email_id).state, row(email_id).pinned) == (State.ACCEPTED, False)
    assert row(email_id).accepted_at
