"""Two versions of the code on one outbox: what this one cannot read or would refuse is not lost."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import update

from database import transaction, utc_now
from email_service import EmailService
from errors import InvalidMessage, OutcomeUnknown
from outbox.delivery import finish
from outbox.tables import OUTBOX, State
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import posting, settings
from tests.outbox.rows import answer, change, change_body, claim, message, queue, row, yes


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    """An app in which nobody delivers by itself."""
    app = make_app(DATABASE_URL=database_url, **settings())
    with app.app_context():
        yield app


@pytest.mark.parametrize("newer", [{"ai_summary": "of tomorrow"}, {"version": 2}])
def test_a_message_of_a_newer_version_waits_for_newer_code(
    app: Flask, monkeypatch: pytest.MonkeyPatch, newer: dict[str, object]
):
    email_id, well = queue(), queue()
    stored = dict(row(email_id).message)
    change_body(email_id, stored | newer)
    called = answer(monkeypatch, yes(), yes())
    finish(claim(5))
    waiting = row(email_id)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)
    assert waiting.due_at > utc_now()
    assert "deploy the newer code everywhere" in str(waiting.last_error)
    assert row(well).state == State.ACCEPTED
    change_body(email_id, stored)  # which is what the newer code reads
    change(email_id, due_at=utc_now())
    finish(claim(5))
    assert (row(email_id).state, len(called)) == (State.ACCEPTED, 2)


def test_a_stored_message_that_a_stricter_check_would_refuse_is_still_sent(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    bodies: list[str] = []

    def post(name: str, body: str) -> Receipt:
        bodies.append(body)
        return yes(name)

    posting(monkeypatch, post)
    email_id = queue()
    stored = dict(row(email_id).message)
    odd = {"to": [{"email": "ann@local host", "name": ""}], "subject": "one\ntwo"}
    with pytest.raises(InvalidMessage):
        message(to="ann@local host", subject="one\ntwo")
    change_body(email_id, stored | odd)
    finish(claim(1))
    assert row(email_id).state == State.ACCEPTED
    [body] = bodies
    assert (json.loads(body)["to"], json.loads(body)["subject"]) == (["ann@local host"], "one\ntwo")


def test_a_batch_that_newer_code_began_waits_for_newer_code(
    make_app: MakeApp, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    app = make_app(DATABASE_URL=database_url, **settings(EMAIL_BATCH="true"))
    with app.app_context():
        ids = [queue() for _ in range(2)]
        batch_answers(monkeypatch, OutcomeUnknown("resend did not answer", retryable=True))
        finish(claim(5))
        batch_id = row(ids[0]).batch_id
        assert batch_id
        stored = dict(row(ids[1]).message)
        change_body(ids[1], stored | {"version": 2})
        make_due(batch_id)
        finish(claim(5))
        assert [row(each).state for each in ids] == [State.QUEUED] * 2
        assert [row(each).batch_id for each in ids] == [batch_id] * 2
        change_body(ids[1], stored)
        make_due(batch_id)
        batch_answers(monkeypatch, yes())
        finish(claim(5))
        assert [row(each).state for each in ids] == [State.ACCEPTED] * 2


def batch_answers(monkeypatch: pytest.MonkeyPatch, given: Receipt | Exception) -> None:
    def post_batch(_self: EmailService, _name: str, _request: object, count: int) -> list[Receipt]:
        if isinstance(given, Exception):
            raise given
        return [given] * count

    monkeypatch.setattr(EmailService, "post_batch", post_batch)


def make_due(row_id: str) -> None:
    with transaction() as session:
        session.execute(update(OUTBOX).where(OUTBOX.c.id == row_id).values(due_at=utc_now()))
