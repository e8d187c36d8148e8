"""What is not kept: bodies, rows, and everything about one person. On both databases."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Column, ForeignKey, Integer, Table, delete, func, select
from sqlalchemy.orm import Session

import emails
import models
import outbox
import subscribers
import webhooks
from cli.privacy import forget_person
from database import Base, db, transaction, utc_now
from errors import OutcomeUnknown
from message import from_json
from models import User
from outbox import retention, suppression
from outbox.claim import claim
from outbox.delivery import deliver_claimed
from outbox.tables import Attempt, EmailEvent, OutboxEmail, OutboxRow, State, Suppression
from providers import BounceClass, EventType, Item, TrackingEvent
from tests.conftest import MakeApp
from tests.outbox.conftest import app as app
from tests.outbox.rows import answer, change, message, queue, row, yes
from tests.webhooks.reports import apply_reports
from webhooks import EventOutcome, ReceivedEvent, receive

ANN = "ann@example.com"
DAY = timedelta(days=1)


def aged(days: float, **values: Any) -> str:
    email_id = queue()
    change(email_id, created_at=utc_now() - days * DAY, **{"state": State.ACCEPTED, **values})
    return email_id


def count(table: type) -> int:
    with transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def bounce(email_id: str) -> None:
    event = TrackingEvent(
        provider="resend", event_id="evt_1", type=EventType.BOUNCED, at=utc_now(),
        email_id=email_id, recipient=ANN, bounce=BounceClass.HARD,
    )  # fmt: skip
    with transaction() as session:
        apply_reports(session, [event])


def test_old_bodies_are_removed_and_the_rest_of_the_row_stays(app: Flask):
    old, young = aged(15), aged(13)
    with transaction() as session:
        assert retention.remove_bodies(session, older_than=14 * DAY) == 1
        assert retention.remove_bodies(session, older_than=14 * DAY) == 0
    assert (row(old).message["html"], row(young).message["html"]) == ("", "<p>Hi</p>")
    assert from_json(row(old).message).to[0].email == ANN
    assert (row(old).subject, row(old).redacted_at is not None) == ("Hi", True)


@pytest.mark.parametrize("state", [State.QUEUED, State.SENDING, State.UNKNOWN])
def test_what_is_not_done_with_stays_whole_whatever_its_age(app: Flask, state: State):
    email_id = aged(1000, state=state)
    with transaction() as session:
        assert retention.remove_bodies(session, older_than=DAY) == 0
        assert retention.remove_rows(session, older_than=DAY) == 0
    assert row(email_id).message["html"] == "<p>Hi</p>"


def test_old_rows_go_with_their_attempts_and_events(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    answer(monkeypatch, yes())
    deliver_claimed(claim(5))
    bounce(email_id)
    receive("resend", [Item(event_id="evt_old", type="x", data={})], lambda _: None)
    assert (count(Attempt), count(EmailEvent), count(ReceivedEvent)) == (1, 2, 1)
    young = aged(1)  # suppressed, as its own event says
    with transaction() as session:
        for table, column in ((OutboxEmail, "created_at"), (ReceivedEvent, "received_at")):
            for each in session.scalars(select(table)):
                if getattr(each, "id", "") != young:
                    setattr(each, column, utc_now() - 91 * DAY)
    with transaction() as session:
        assert retention.remove_rows(session, older_than=90 * DAY) == 1
        webhooks.remove_old(session, older_than=DAY)  # 30 days at least, whatever is asked
    assert (count(OutboxRow), count(Attempt), count(EmailEvent), count(ReceivedEvent)) == (
        1, 0, 1, 0,
    )  # fmt: skip


def test_an_email_without_its_body_is_not_sent_again(app: Flask):
    email_id = aged(15, state=State.FAILED)
    with transaction() as session:
        retention.remove_bodies(session, older_than=14 * DAY)
        assert not outbox.actions.retry(session, email_id)
        assert outbox.actions.retry_all_failed(session) == 0
    assert row(email_id).state == State.FAILED


def test_forgetting_removes_one_person_and_nobody_else(app: Flask):
    with app.app_context():
        db.session.add(User(email=ANN, name="Ann"))
        db.session.add(User(email="ben@example.com", name="Ben"))
        db.session.commit()
    mine = queue(to="Ann@Example.com")
    in_copy = queue(to="ben@example.com", cc=ANN)
    written_by_me = queue(to="owner@example.com", reply_to=ANN)
    about_me = queue(to="ben@example.com", html=f'<p>"{ANN}" says hello</p>')
    with app.app_context():
        subscribers.add_tag(ANN, "customer")
        db.session.commit()
    with transaction() as session:
        forgotten = forget_person(session, ANN)
    assert (forgotten.emails, forgotten.accounts) == (4, 1)
    with transaction() as session:
        left = set(session.scalars(select(OutboxRow.id)))
        assert left == {about_me}
        assert not {mine, in_copy, written_by_me} & left
        assert session.scalars(select(User.email)).all() == ["ben@example.com"]


@pytest.fixture
def projects(app: Flask) -> Iterator[Table]:
    """A cloner's table that refers to users, with a row of Ann's and one of Ben's."""
    column: Column[str] = Column("owner_id", ForeignKey("users.id"), nullable=False)
    table = Table("projects", Base.metadata, Column("id", Integer, primary_key=True), column)
    table.create(db.engine)
    for email in (ANN, "ben@example.com"):
        user = User(email=email, name="A person")
        db.session.add(user)
        db.session.flush()
        db.session.execute(table.insert().values(owner_id=user.id))
    db.session.commit()
    yield table
    Base.metadata.remove(table)


def test_what_refers_to_an_account_stops_forgetting_and_is_named(app: Flask, projects: Table):
    queue()
    refused = app.test_cli_runner().invoke(args=["email", "forget", ANN, "--yes"])
    assert refused.exit_code == 1
    [line] = refused.output.splitlines()
    assert line.startswith(f"Error: nothing was removed: projects still refers to {ANN}'s account")
    assert "forget_user in models.py" in line
    assert (count(OutboxRow), count(User)) == (1, 2)


def test_a_table_of_ones_own_is_forgotten_by_the_hook(
    app: Flask, projects: Table, monkeypatch: pytest.MonkeyPatch
):
    ours = models.forget_user

    def edited(session: Session, user: User) -> None:
        session.execute(delete(projects).where(projects.c.owner_id == user.id))
        ours(session, user)

    monkeypatch.setattr(models, "forget_user", edited)
    done = app.test_cli_runner().invoke(args=["email", "forget", ANN, "--yes"])
    assert "1 accounts removed" in done.output
    with transaction() as session:
        [kept] = session.scalars(select(projects.c.owner_id))
        assert session.get_one(User, kept).email == "ben@example.com"


def test_a_forgotten_address_stays_suppressed_under_a_hash(app: Flask):
    bounce(queue())
    with transaction() as session:
        assert forget_person(session, ANN).suppressions == 1
        [kept] = session.scalars(select(Suppression))
        assert "ann" not in kept.address
        assert kept.reason == "hard bounce"
    assert row(queue()).state == State.SUPPRESSED
    with transaction() as session:
        assert suppression.lift(session, "Ann@example.com")
    assert row(queue()).state == State.QUEUED


def test_events_about_a_forgotten_person_keep_their_ids_alone_and_stay_once(app: Flask):
    effects: list[int] = []
    event = Item(event_id="evt_2", type="x", data={"data": {"customer_email": ANN}})
    receive("stripe", [event], lambda _: lambda: effects.append(1))
    receive("stripe", [Item(event_id="evt_3", type="x", data={"a": 1})], lambda _: None)
    with transaction() as session:
        assert forget_person(session, ANN).events == 1
    assert receive("stripe", [event], lambda _: lambda: effects.append(1)) == [
        EventOutcome.DUPLICATE
    ]
    with transaction() as session:
        assert sorted(session.scalars(select(ReceivedEvent.payload))) == ["", '{"a": 1}']
    assert effects == [1]


def test_nobody_is_forgotten_in_the_middle_of_an_email(app: Flask):
    email_id = queue()
    claim(5)
    with pytest.raises(retention.StillSending, match="being sent now"), transaction() as session:
        forget_person(session, ANN)
    assert row(email_id).state == State.SENDING


class TestSensitiveBodies:
    """The body of a reset email is a key; in production it goes once the provider has it."""

    @pytest.fixture
    def app(self, make_app: MakeApp, database_url: str, request: pytest.FixtureRequest) -> Any:
        app = make_app(
            DATABASE_URL=database_url, FLASK_DEBUG=False, APP_URL="https://app.example.com",
            SECRET_KEY="of these tests", FROM_EMAIL="Shop <shop@example.com>",
            EMAIL_PROVIDER="sendgrid", SENDGRID_API_KEY="SG.x", TESTING=True,
        )  # fmt: skip
        with app.app_context():
            yield app

    def reset(self) -> str:
        link = "https://app.example.com/reset-password?token=secret"
        with transaction() as session:
            return outbox.enqueue(session, emails.password_reset(to=ANN, reset_url=link)).id

    def test_they_go_once_accepted(self, app: Flask, monkeypatch: pytest.MonkeyPatch):
        email_id, other = self.reset(), queue()
        assert "secret" in row(email_id).message["html"]
        answer(monkeypatch, yes("sendgrid"), yes("sendgrid"))
        deliver_claimed(claim(5))
        assert "secret" not in json.dumps(row(email_id).message)
        assert row(email_id).redacted_at
        assert row(other).message["html"] == "<p>Hi</p>"

    def test_they_stay_while_nobody_knows(self, app: Flask):
        email_id = self.reset()
        change(email_id, state=State.UNKNOWN, pinned=True, provider="sendgrid")
        assert "secret" in row(email_id).message["html"]

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
    deliver_claimed(claim(5))
    assert row(email_id).state == State.ACCEPTED
    assert row(email_id).message["html"] == message().html


def test_an_event_during_the_call_answers_what_the_call_did_not(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue(sensitive=True)
    [claimed] = claim(1)
    delivered = TrackingEvent(
        provider="resend", event_id="e", type=EventType.DELIVERED, at=utc_now(), email_id=email_id,
    )  # fmt: skip
    with transaction() as session:
        apply_reports(session, [delivered])
    answer(monkeypatch, OutcomeUnknown("sendgrid did not answer", provider="sendgrid"))
    deliver_claimed([claimed])
    assert (row(email_id).state, row(email_id).pinned) == (State.ACCEPTED, False)
    assert row(email_id).accepted_at
