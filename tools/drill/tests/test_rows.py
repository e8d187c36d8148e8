"""What the drill reads out of our own database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

import emails
from app import create_app
from background import send_in_background
from database import db, utc_now
from outbox import Attempt, OutboxEmail
from testing import TEST_SETTINGS
from tools.drill.judge import Row
from tools.drill.rows import Rows

STATES = ("queued", "sending", "accepted", "unknown", "failed")


@pytest.fixture
def ids(database_url: str) -> Iterator[dict[str, str]]:
    """An email in each state, by state; the accepted one had two calls without an answer, and one
    too many."""
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": database_url, "EMAIL_DELIVERY": "thread"})
    with app.app_context():
        rows = [send_in_background(emails.welcome(to=f"{each}@x.org", name="A")) for each in STATES]
        found = dict(zip(STATES, (row.id for row in rows), strict=True))
        for state, email_id in found.items():
            change = update(OutboxEmail).where(OutboxEmail.id == email_id)
            db.session.execute(change.values(state=state))
        for outcome in ("outcome_unknown", "rate_limited", "outcome_unknown", "accepted"):
            db.session.add(_attempt(found["accepted"], outcome))
        db.session.commit()
        yield found
        db.session.remove()
        db.engine.dispose()


def _attempt(email_id: str, outcome: str) -> Attempt:
    moment = utc_now()
    return Attempt(
        email_id=email_id, provider="resend", wire_hash="0" * 64, outcome=outcome,
        started_at=moment, ended_at=moment,
    )  # fmt: skip


def test_rows_in_flight_counts_and_unanswered_calls(ids: dict[str, str], database_url: str):
    rows = Rows(database_url)
    try:
        assert rows.in_flight() == {ids["sending"]}
        assert rows.counts() == (5, 3)
        everything = rows.all()
    finally:
        rows.close()
    assert everything[ids["accepted"]] == Row("accepted", unanswered=2, throttled=1)
    assert everything[ids["unknown"]] == Row("unknown", unanswered=0)
    assert set(everything) == set(ids.values())


def test_an_email_waits_from_its_last_attempt_until_the_next_is_due(
    ids: dict[str, str], database_url: str
):
    rows = Rows(database_url)
    try:
        assert not rows.somebody_waits()
        _postpone(ids["accepted"])
        assert not rows.somebody_waits()
        _postpone(ids["queued"])
        assert rows.somebody_waits()
    finally:
        rows.close()


def _postpone(email_id: str) -> None:
    later = utc_now() + timedelta(minutes=1)
    change = update(OutboxEmail).where(OutboxEmail.id == email_id)
    db.session.execute(change.values(due_at=later))
    db.session.commit()


def test_the_story_of_an_email_names_its_state_and_each_attempt(
    ids: dict[str, str], database_url: str
):
    rows = Rows(database_url)
    try:
        story = rows.story(ids["accepted"])
        assert rows.story("nobody") == "nobody: no such row"
    finally:
        rows.close()
    assert f"{ids['accepted']}: accepted" in story
    assert story.count(" outcome_unknown resend") == 2
