"""Many emails stored by few statements: the same rows as those that are stored one by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.orm import Session

import outbox
from background import send_many_in_background, uncommitted_ids
from database import db, transaction
from outbox import suppression
from outbox.bulk import BulkRun, RunTaken, advance, begin, latest
from outbox.enqueue import enqueue_many
from outbox.tables import EmailEvent, OutboxBody, OutboxEmail
from tests.outbox.rows import claim, count, ids_of, message, queue, row, story

OWN = {"id", "due_at", "created_at", "lane", "recipient"}


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    """What is said to the database meanwhile; an INSERT of many rows counts once."""
    said: list[str] = []

    def listener(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    event.listen(session.get_bind(), "before_cursor_execute", listener)
    try:
        yield said
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", listener)


def stop(*addresses: str) -> None:
    with transaction() as session:
        for address in addresses:
            suppression.suppress(session, address, "all", reason="asked", source="by hand")


def test_many_are_stored_as_one_would_be(app: Flask):
    one = queue(tags="a", sensitive=True)
    with transaction() as session:
        [other] = enqueue_many(session, [message(tags="a", sensitive=True)]).queued
    first, second = row(one), row(other)
    names = {each.name for each in OutboxEmail.__table__.columns} - OWN
    assert {name: getattr(first, name) for name in names} == {
        name: getattr(second, name) for name in names
    }
    assert first.message == second.message | {"id": one}


@pytest.mark.parametrize("number", [2, 500])
def test_their_number_costs_no_statement(app: Flask, number: int):
    stop("user0@example.com")
    for _ in range(2):  # as in a process that has read the salt
        with transaction() as session:
            suppression.suppressed(session, ["user0@example.com"])
    messages = [message(to=f"user{each}@example.com") for each in range(number)]
    with transaction() as session, statements(session) as said:
        enqueued = enqueue_many(session, messages)
    assert (len(enqueued.queued), enqueued.suppressed, enqueued.known) == (number - 1, 1, 0)
    writes = [each.split()[2] for each in said if each.startswith("INSERT")]
    assert set(writes) == {"outbox", "outbox_bodies", "email_events"}
    assert len(said) <= 8, said
    assert (count(OutboxEmail), count(OutboxBody), count(EmailEvent)) == (number, number, 1)


def test_a_key_that_was_used_is_not_stored_again(app: Flask):
    queue(intent_key="a")
    twice = message()
    with transaction() as session:
        messages = [message(intent_key=key) for key in ("a", "b", "b", None)]
        enqueued = enqueue_many(session, [*messages, twice, twice])
    assert (len(enqueued.queued), enqueued.suppressed, enqueued.known) == (3, 0, 3)
    assert (count(OutboxEmail), count(OutboxBody)) == (4, 4)


def test_who_must_not_be_written_to_is_left_out(app: Flask):
    stop("ben@example.com")
    with transaction() as session:
        messages = [
            message(to=["ann@example.com", "ben@example.com"]),
            message(to="ben@example.com"),
        ]
        enqueue_many(session, messages)
    kept, refused = row(messages[0].id), row(messages[1].id)
    assert (kept.recipients, [each["email"] for each in kept.message["to"]]) == (
        ["ann@example.com"], ["ann@example.com"],
    )  # fmt: skip
    assert (refused.state, refused.last_error) == ("suppressed", "b***@example.com: asked")
    assert [what for what, _ in story(kept.id)] == ["enqueued", "left_out"]


def test_they_hold_up_nobody_who_waits_for_one(app: Flask):
    with transaction() as session:
        enqueue_many(session, [message() for _ in range(20)])
    reset = queue()
    assert ids_of(claim(1))[0] == reset


def test_one_commit_wakes_delivery_once_and_a_rollback_never(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    woken: list[list[str]] = []
    monkeypatch.setattr(outbox.running, "wake", woken.append)
    stop("ann@example.com")
    messages = [message(to=f"user{each}@example.com") for each in range(3)]
    send_many_in_background([*messages, message()])
    assert uncommitted_ids() == [each.id for each in messages]
    db.session.rollback()
    assert (woken, uncommitted_ids(), count(OutboxEmail)) == ([], [], 0)
    send_many_in_background([*messages, message()])
    db.session.commit()
    assert woken == [[each.id for each in messages]]


class TestRuns:
    def test_it_is_recorded_how_far_a_run_is(self, app: Flask):
        with transaction() as session:
            assert latest(session, "ab" * 32, "welcome") is None
            run = begin(session, "ab" * 32, "welcome", rows_total=3, after=None)
            run = advance(session, run, 2)
        with transaction() as session:
            assert latest(session, "ab" * 32, "welcome") == run
            assert (run.rows_stored, run.finished_at) == (2, None)
            assert latest(session, "ab" * 32, "receipt") is None
            assert advance(session, run, 1).finished_at

    def test_only_one_process_goes_on(self, app: Flask):
        with transaction() as session:
            run = begin(session, "ab" * 32, "welcome", rows_total=3, after=None)
        with transaction() as session:
            advance(session, run, 1)
            with pytest.raises(RunTaken):
                advance(session, run, 1)
            with pytest.raises(RunTaken):
                begin(session, "ab" * 32, "welcome", rows_total=3, after=None)
        with transaction() as session:
            assert session.scalars(select(BulkRun.rows_stored)).all() == [1]

    def test_each_run_has_keys_of_its_own(self, app: Flask):
        with transaction() as session:
            first = begin(session, "ab" * 32, "welcome", rows_total=3, after=None)
            second = begin(session, "ab" * 32, "welcome", rows_total=3, after=first)
        assert first.intent_key(7) == "csv:abababababababab:welcome:7"
        assert second.intent_key(7) == "csv:abababababababab:welcome:7:2"
