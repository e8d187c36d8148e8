"""`flask email forget`: everything about one person, on both databases."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Column, ForeignKey, Integer, Table, delete, select
from sqlalchemy.orm import Session

import models
import subscribers
from cli.privacy import forget_person
from database import Base, db, transaction
from models import User
from outbox import OutboxRow, State, Suppression, retention, suppression
from providers import RawEvent
from tests.outbox.conftest import app as app
from tests.outbox.rows import count, queue, row
from tests.webhooks.reports import report_bounce
from webhooks import EventOutcome, ReceivedEvent, receive

ANN = "ann@example.com"
DAY = timedelta(days=1)


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
def made_up(app: Flask) -> Iterator[Table]:
    """A cloner's table that refers to users, with a row of Ann's and one of Ben's."""
    column: Column[str] = Column("owner_id", ForeignKey("users.id"), nullable=False)
    table = Table(
        "made_up_by_this_test", Base.metadata, Column("id", Integer, primary_key=True), column
    )
    table.create(db.engine)
    for email in (ANN, "ben@example.com"):
        user = User(email=email, name="A person")
        db.session.add(user)
        db.session.flush()
        db.session.execute(table.insert().values(owner_id=user.id))
    db.session.commit()
    yield table
    Base.metadata.remove(table)


def test_what_refers_to_an_account_stops_forgetting_and_is_named(app: Flask, made_up: Table):
    queue()
    refused = app.test_cli_runner().invoke(args=["email", "forget", ANN, "--yes"])
    assert refused.exit_code == 1
    [line] = refused.output.splitlines()
    assert line.startswith(
        f"Error: nothing was removed: made_up_by_this_test still refers to {ANN}'s account"
    )
    assert "forget_user in models.py" in line
    assert (count(OutboxRow), count(User)) == (1, 2)


def test_a_table_of_ones_own_is_forgotten_by_the_hook(
    app: Flask, made_up: Table, monkeypatch: pytest.MonkeyPatch
):
    ours = models.forget_user

    def edited(session: Session, user: User) -> None:
        session.execute(delete(made_up).where(made_up.c.owner_id == user.id))
        ours(session, user)

    monkeypatch.setattr(models, "forget_user", edited)
    done = app.test_cli_runner().invoke(args=["email", "forget", ANN, "--yes"])
    assert "1 accounts and 0 sign-ups removed" in done.output
    with transaction() as session:
        [kept] = session.scalars(select(made_up.c.owner_id))
        assert session.get_one(User, kept).email == "ben@example.com"


def test_a_forgotten_address_stays_suppressed_under_a_hash(app: Flask):
    report_bounce(queue())
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
    event = RawEvent(event_id="evt_2", type="x", data={"data": {"customer_email": ANN}})
    receive("stripe", [event], lambda _: lambda: effects.append(1))
    receive("stripe", [RawEvent(event_id="evt_3", type="x", data={"a": 1})], lambda _: None)
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
    with transaction() as session:
        session.get_one(OutboxRow, email_id).state = State.SENDING
    with pytest.raises(retention.StillSending, match="being sent now"), transaction() as session:
        forget_person(session, ANN)
    assert row(email_id).state == State.SENDING
