"""The engine's turns: what is due waits for no sweep, and a bad row costs itself only."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from database import transaction, utc_now
from errors import ProviderUnavailable
from outbox.due import Due, look
from outbox.halving import take_turn_or_halves
from outbox.jobs import Job
from outbox.kinds import call
from outbox.suppression import suppress
from outbox.sweep import sweep
from outbox.tables import OUTBOX, Attempt, ProviderState, State
from outbox.turn import prepare, take_turn
from providers import Receipt
from tests.conftest import MakeApp
from tests.outbox.engines import delivering, posting, settings, wait_for
from tests.outbox.rows import answer, change, change_body, claim, count, queue, row, yes
from tools.processes import PATIENCE, wait_until

UNSTORABLE = "\ud800"  # no database takes half a character


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=database_url, **settings())
    with app.app_context():
        yield app


def test_the_next_provider_is_asked_at_once_and_not_at_the_next_sweep(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    def post(name: str, _body: str) -> Receipt | Exception:
        return ProviderUnavailable("answered 503", 503) if name == "resend" else yes(name)

    posting(monkeypatch, post)
    email_id = queue()
    with delivering(app):
        wait_for(email_id, State.ACCEPTED)
    assert row(email_id).provider == "sendgrid"


def test_a_retry_goes_out_when_it_is_due_and_not_at_the_next_sweep(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("outbox.outcomes.backoff", lambda _attempt: 0.05)
    answer(monkeypatch, ProviderUnavailable("sendgrid answered 503", 503), yes("sendgrid"))
    email_id = queue()
    change(email_id, only_provider="sendgrid")
    with delivering(app):
        wait_for(email_id, State.ACCEPTED)


def test_rows_that_need_no_call_do_not_hold_up_those_behind_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    posting(monkeypatch, lambda name, _body: yes(name))
    addresses = [f"gone{number}@example.com" for number in range(50)]
    queued = [queue(to=address) for address in addresses]
    with transaction() as session:
        for address in addresses:
            suppress(session, address, "all", reason="test", source="test")
    email_id = queue()
    with delivering(app):
        wait_for(email_id, State.ACCEPTED)
    assert {row(each).state for each in queued} == {State.SUPPRESSED}


def test_an_answer_that_no_column_holds_costs_only_its_details(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    def post(name: str, body: str) -> Receipt:
        notes = (UNSTORABLE,) if "bad@example.com" in body else ()
        return Receipt(provider=name, message_id="id-1", status=200, notes=notes)

    posting(monkeypatch, post)
    ids = [queue(to=f"{name}@example.com") for name in ("a", "b", "bad", "c", "d")]
    with delivering(app):
        for email_id in ids:
            wait_for(email_id, State.ACCEPTED)
    names = [row(each).provider_message_id for each in ids]
    assert names == ["id-1", "id-1", None, "id-1", "id-1"]


def called_and_built(monkeypatch: pytest.MonkeyPatch, given: Receipt) -> tuple[Job, Job]:
    """One job with its answer and one that is ready to start."""
    answer(monkeypatch, given)
    one, two = prepare(claim(2))
    take_turn([], [one], None)
    call(one)
    return one, two


def test_a_turn_of_two_in_which_the_answer_breaks_starts_the_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    first, second = queue(), queue()
    broken = Receipt(provider="resend", message_id="id-1", status=200, notes=(UNSTORABLE,))
    one, two = called_and_built(monkeypatch, broken)
    turn = take_turn_or_halves([one], [two], None)
    assert turn.started == [two]
    assert row(first).state == State.ACCEPTED
    assert row(second).calling_since is not None


def test_a_turn_of_two_in_which_the_start_breaks_records_the_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    first, second = queue(), queue()
    one, two = called_and_built(monkeypatch, yes())
    two.hashes = [UNSTORABLE]
    turn = take_turn_or_halves([one], [two], None)
    assert turn.started == []
    assert row(first).state == State.ACCEPTED
    assert (row(second).state, row(second).attempts) == (State.QUEUED, 1)  # it backs off
    assert count(Attempt) == 1


def test_a_body_that_cannot_be_read_fails_alone_and_the_others_leave(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
):
    posting(monkeypatch, lambda name, _body: yes(name))
    app = make_app(**settings())  # SQLite: the other takes nothing but JSON
    with app.app_context():
        broken, well = queue(), queue()
        with transaction() as session:
            session.execute(
                text("UPDATE outbox_bodies SET message = '{' WHERE id = :id"), {"id": broken}
            )
        with delivering(app):
            wait_for(well, State.ACCEPTED)
            wait_until(lambda: state_of(broken) == State.FAILED, "the broken one to fail")


def test_a_kind_of_row_that_only_newer_code_knows_is_left_to_it_and_stops_nobody(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    posting(monkeypatch, lambda name, _body: yes(name))
    newer, well, lost = queue(), queue(), queue()
    with transaction() as session:
        session.execute(
            update(OUTBOX).where(OUTBOX.c.id.in_([newer, lost])).values(task="of tomorrow")
        )
        session.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id == lost)
            .values(state=State.SENDING, lease_until=utc_now() - timedelta(minutes=1))
        )
    with delivering(app):
        wait_for(well, State.ACCEPTED)
    assert sweep() == 0
    assert (state_of(newer), state_of(lost)) == (State.QUEUED, State.SENDING)


def test_a_row_that_breaks_every_claim_is_put_off_and_the_others_leave(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    posting(monkeypatch, lambda name, _body: yes(name))
    several = queue(to=["ann@example.com", "bob@example.com"])
    well = [queue() for _ in range(3)]
    with transaction() as session:
        suppress(session, "bob@example.com", "all", reason="test", source="test")
    change_body(several, {"to": "no list"})  # whom it is without bob cannot be told
    with delivering(app):
        for email_id in well:
            wait_for(email_id, State.ACCEPTED)
    put_off = row(several)
    assert put_off.state == State.QUEUED
    assert put_off.due_at > utc_now()
    assert "could not be claimed" in str(put_off.last_error)


def test_a_quarantined_row_that_waits_for_its_provider_holds_nobody_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    app.config["EMAIL_SWEEP"] = 0.05  # it is looked at all the time
    going, go_on = threading.Event(), threading.Event()

    def post(name: str, body: str) -> Receipt:
        if "slow@example.com" in body:
            going.set()
            assert go_on.wait(PATIENCE)
        return yes(name)

    posting(monkeypatch, post)
    quarantined = queue()
    change(quarantined, quarantined=True, pinned=True, provider="resend", only_provider="resend")
    with transaction() as session:
        later = utc_now() + timedelta(hours=1)
        session.add(ProviderState(name="resend", failures=5, open_until=later))
    slow = queue(to="slow@example.com")
    with delivering(app) as engine:
        assert going.wait(PATIENCE)
        sweeps = count_sweeps(monkeypatch)
        wait_until(lambda: len(sweeps) > 1, "two sweeps")
        email_id = queue()
        engine.wake()
        try:
            wait_for(email_id, State.ACCEPTED)
        finally:
            go_on.set()
        wait_for(slow, State.ACCEPTED)
    assert row(quarantined).state == State.QUEUED


def count_sweeps(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    sweeps: list[None] = []

    def looked(*arguments: Any) -> Due:
        sweeps.append(None)
        return look(*arguments)

    monkeypatch.setattr("outbox.engine.due.look", looked)
    return sweeps


def state_of(row_id: str) -> str:
    with transaction() as session:
        return str(session.scalar(select(OUTBOX.c.state).where(OUTBOX.c.id == row_id)))
