"""Steps: work for the database alone, on the way of emails, and held up by no provider."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import transaction, utc_now
from models import User
from outbox import OutboxStep, enqueue_step, register_steps, retention
from outbox.delivery import deliver_quarantined, finish
from outbox.enqueue import enqueue
from outbox.kinds import call
from outbox.outcomes import MAX_ATTEMPTS
from outbox.sweep import sweep
from outbox.tables import OUTBOX, Attempt, OutboxEmail, OutboxRow, ProviderState, State
from outbox.turn import prepare, take_turn
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings
from tests.outbox.rows import claim, count, message, queue, yes
from tools.processes import PATIENCE, wait_until


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=database_url, **settings(EMAIL_THREADS="1"))
    with app.app_context():
        yield app


def ask(address: str = "ann@example.com", wait: float = 0) -> str:
    with transaction() as session:
        return enqueue_step(session, "hello", address=address, data={"name": "Ann"}, wait=wait).id


def say_hello(session: Session, row: OutboxStep) -> None:
    session.add(User(email=row.recipient, name=row.message["name"]))
    enqueue(session, message(to=row.recipient), origin=row.origin)


def refuse(_session: Session, _row: OutboxStep) -> None:
    raise RuntimeError("not today")


def the_step(row_id: str) -> OutboxStep:
    with transaction() as session:
        return session.get_one(OutboxStep, row_id)


def change(row_id: str, **values: object) -> None:
    with transaction() as session:
        session.execute(update(OUTBOX).where(OUTBOX.c.id == row_id).values(values))


def die_with(row_id: str) -> None:
    """What a SIGKILL in the middle of a step leaves, once the lease has run out."""
    past = utc_now() - timedelta(seconds=1)
    change(row_id, state=State.SENDING, lease_until=past, lease_token="dead", calling_since=past)
    sweep()


def emails() -> list[tuple[str, str]]:
    with transaction() as session:
        return [(each.recipient, each.state) for each in session.scalars(select(OutboxEmail))]


def test_it_is_done_at_its_time_and_what_it_enqueues_waits_for_no_sweep(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    register_steps(app, say_hello)
    posting(monkeypatch, lambda name, _body: yes(name))
    row_id = ask(wait=0.2)
    due_at = the_step(row_id).due_at
    with delivering(app):
        wait_until(lambda: emails() == [("ann@example.com", State.ACCEPTED)], "the email")
        assert utc_now() >= due_at
    assert (count(OutboxStep), count(User), count(Attempt)) == (0, 1, 1)


def pause_all() -> None:
    with transaction() as session:
        for name in ("resend", "sendgrid"):
            open_until = utc_now() + timedelta(hours=1)
            session.add(ProviderState(name=name, failures=9, open_until=open_until))


@pytest.mark.parametrize("paused", [True, False], ids=["providers paused", "senders busy"])
def test_nothing_that_holds_up_emails_holds_it_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch, paused: bool
):
    called, release = threading.Event(), threading.Event()

    def post(name: str, _body: str) -> Receipt:
        called.set()
        release.wait(PATIENCE)
        return yes(name)

    posting(monkeypatch, post)
    register_steps(app, say_hello)
    for _ in range(20):
        queue()
    if paused:
        pause_all()
    with delivering(app) as engine:
        try:
            assert paused or called.wait(PATIENCE)
            for number in range(10):
                ask(f"{number}@example.com")
            engine.wake()
            wait_until(lambda: count(User) == 10, "the steps")
        finally:
            release.set()
    assert count(OutboxEmail) == 30


def test_one_that_fails_changes_nothing_backs_off_and_holds_up_nobody(app: Flask):
    def take(session: Session, row: OutboxStep) -> None:
        say_hello(session, row)
        if row.recipient == "bad@example.com":
            raise RuntimeError("not today")

    register_steps(app, take)
    bad, _ = ask("bad@example.com"), ask()
    finish(claim(5))
    assert emails() == [("ann@example.com", State.QUEUED)]
    assert count(User) == 1
    row = the_step(bad)
    assert (row.state, row.attempts, row.provider) == (State.QUEUED, 1, None)
    assert row.due_at > utc_now()
    assert "RuntimeError: not today" in (row.last_error or "")
    assert claim(5)[0].rows[0].task == "email"


def test_one_that_fails_again_and_again_is_failed_and_can_be_tried_again(app: Flask):
    register_steps(app, refuse)
    row_id = ask()
    change(row_id, attempts=MAX_ATTEMPTS - 1)
    finish(claim(1))
    assert the_step(row_id).state == State.FAILED
    done = app.test_cli_runner().invoke(args=["email", "retry", row_id])
    assert "1 queued again" in done.output
    register_steps(app, say_hello)
    finish(claim(1))
    assert (count(OutboxStep), count(User)) == (0, 1)


def test_while_the_database_is_away_it_costs_no_attempt(app: Flask):
    def take(_session: Session, _row: OutboxStep) -> None:
        raise OperationalError("select 1", {}, Exception("database is locked"))

    register_steps(app, take)
    row_id = ask()
    finish(claim(1))
    row = the_step(row_id)
    assert (row.state, row.attempts) == (State.QUEUED, 0)
    assert row.due_at > utc_now()


def test_a_process_that_died_with_it_leaves_it_alone_with_the_next_and_three_are_enough(
    app: Flask,
):
    register_steps(app, say_hello)
    row_id = ask()
    die_with(row_id)
    assert the_step(row_id).quarantined
    assert claim(5) == []
    assert deliver_quarantined()
    assert (count(OutboxStep), count(User)) == (0, 1)

    row_id = ask("bad@example.com")
    for _ in range(4):
        die_with(row_id)
    assert the_step(row_id).state == State.FAILED


def test_the_engine_takes_a_quarantined_one_though_no_provider_may_be_called(app: Flask):
    register_steps(app, say_hello)
    pause_all()
    die_with(ask())
    with delivering(app):
        wait_until(lambda: count(User) == 1, "the step")


def test_one_whose_lease_was_lost_is_done_by_the_other_process_alone(app: Flask):
    register_steps(app, say_hello)
    row_id = ask()
    jobs = prepare(claim(1))
    started = take_turn([], jobs, None).started
    change(row_id, lease_token="another")
    call(started[0])
    take_turn(started, [], None)
    row = the_step(row_id)
    assert (row.state, row.lease_token, count(User)) == (State.SENDING, "another", 0)


def test_a_copy_of_the_database_elsewhere_answers_nothing(app: Flask):
    register_steps(app, say_hello)
    change(ask(), host="another.example.com")
    assert claim(5) == []


def test_forgetting_somebody_takes_along_what_was_asked_about_them(app: Flask):
    ask("Ann@example.com")
    ask("ben@example.com")
    with transaction() as session:
        assert len(retention.forget_emails(session, "ann@example.com")) == 1
        [left] = session.scalars(select(OutboxRow))
        assert left.recipient == "ben@example.com"
