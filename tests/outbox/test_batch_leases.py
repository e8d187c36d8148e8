"""Batches whose process died, or lost its lease: the emails in one share its fate, and no other."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, update

import outbox
from database import transaction, utc_now
from errors import EmailSendError, InvalidMessage, OutcomeUnknown, ProviderUnavailable
from outbox.delivery import finish
from outbox.halving import take_turn_or_halves
from outbox.jobs import Job, Postponed
from outbox.sweep import sweep
from outbox.tables import OUTBOX, Attempt, OutboxBatch, OutboxBody, State
from outbox.turn import prepare, take_turn
from tests.conftest import MakeApp
from tests.outbox.rows import change, claim, ids_of, queue, row, yes

SETTINGS = {
    "EMAIL_PROVIDER": "resend", "RESEND_API_KEY": "re_x", "RESEND_RATE": "off", "EMAIL_LEASE": "40",
}  # fmt: skip
PAST = timedelta(seconds=1)
LOST = OutcomeUnknown("no answer", retryable=True)


@pytest.fixture
def app(make_app: MakeApp, database_url: str) -> Iterator[Flask]:
    app = make_app(DATABASE_URL=database_url, **SETTINGS)
    with app.app_context():
        yield app


def start(quarantined: bool = False) -> Job:
    """The batch that is due, with its call committed."""
    [job] = prepare(claim(1, quarantined=quarantined))
    assert take_turn([], [job], None).started == [job]
    return job


def two(**fields: object) -> tuple[list[str], Job]:
    """Two emails, and their batch."""
    ids = [queue(to=f"{name}@example.com", **fields) for name in ("ann", "bob")]
    return ids, start()


def end(job: Job, answer: EmailSendError | Postponed | None = None) -> None:
    """Record this answer, or a yes to all."""
    job.answers = [answer or yes() for _ in job.rows]
    if answer:
        job.answer_all(answer)
    take_turn([job], [], None)


def end_leases() -> None:
    with transaction() as session:
        leased = update(OUTBOX).where(OUTBOX.c.state == State.SENDING)
        session.execute(leased.values(lease_until=utc_now() - PAST))


def die() -> None:
    """A SIGKILL of whoever has a lease, and the time until it has run out."""
    end_leases()
    sweep()


def make_due() -> None:
    with transaction() as session:
        session.execute(update(OUTBOX).values(due_at=utc_now() - PAST))


def states(ids: list[str]) -> list[str]:
    return [row(each).state for each in ids]


def batches() -> list[OutboxBatch]:
    with transaction() as session:
        return list(session.scalars(select(OutboxBatch)))


def open_attempts() -> int:
    still = select(func.count()).select_from(Attempt).where(Attempt.ended_at.is_(None))
    with transaction() as session:
        return session.scalar(still) or 0


def test_emails_whose_batch_is_given_up_are_unknown_and_none_goes_by_itself(app: Flask):
    ids, _ = two()
    die()
    for _ in range(3):
        assert (claim(5), states(ids), open_attempts()) == ([], [State.QUEUED] * 2, 0)
        start(quarantined=True)
        die()
    assert (states(ids), batches(), open_attempts()) == ([State.UNKNOWN] * 2, [], 0)
    assert [row(each).batch_id for each in ids] == [None] * 2
    assert claim(5) == []


@pytest.mark.parametrize(
    "answer", [InvalidMessage("refused", 422), ProviderUnavailable("503", 503), LOST], ids=repr
)
def test_a_process_that_lost_its_lease_leaves_the_batch_to_whoever_has_it_now(
    app: Flask, answer: EmailSendError
):
    ids, late = two()
    die()
    again = start(quarantined=True)
    end(late, answer)
    [batch] = batches()
    assert (batch.state, batch.lease_token) == (State.SENDING, again.token)
    die()  # the other one as well
    end(start(quarantined=True))
    assert (states(ids), batches()) == ([State.ACCEPTED] * 2, [])


def test_a_repeat_that_was_not_made_in_time_leaves_the_batch_to_whoever_has_it_now(app: Flask):
    _, lost = two()
    end(lost, LOST)
    make_due()
    [late] = prepare(claim(1))
    die()
    make_due()
    now_its = start()
    turn = take_turn([], [late], None)
    assert (turn.started, [each.held for each in turn.told]) == ([], [False] * 2)
    [batch] = batches()
    assert (batch.state, batch.lease_token) == (State.SENDING, now_its.token)


def test_a_late_yes_settles_all_and_the_repeat_finds_its_bytes(app: Flask):
    ids, late = two()
    die()
    again = start(quarantined=True)
    end(late)
    assert states(ids) == [State.ACCEPTED] * 2
    end(again, LOST)
    make_due()
    end(start())
    assert (states(ids), batches()) == ([State.ACCEPTED] * 2, [])


@pytest.mark.parametrize("in_production", [False, True])
def test_an_event_for_one_of_them_leaves_the_others_their_repeat(app: Flask, in_production: bool):
    app.debug = not in_production
    ids, job = two(sensitive=True)
    change(ids[0], delivery_status="delivered")
    end(job, LOST)
    assert states(ids) == [State.ACCEPTED, State.QUEUED]
    make_due()
    end(start())
    assert (states(ids), batches()) == ([State.ACCEPTED] * 2, [])
    assert [row(each).redacted_at is not None for each in ids] == [in_production] * 2


def test_whoever_was_told_of_before_the_batch_was_given_up_is_redacted_then(app: Flask):
    app.debug = False
    ids, job = two(sensitive=True)
    change(ids[0], delivery_status="delivered")
    end(job, LOST)
    make_due()
    [again] = prepare(claim(1))
    end(again, InvalidMessage("refused", 422))
    assert (states(ids), batches()) == ([State.ACCEPTED, State.UNKNOWN], [])
    assert [row(each).redacted_at is not None for each in ids] == [True, False]


def test_a_batch_of_which_everybody_was_forgotten_goes_without_a_call(app: Flask):
    _, job = two()
    end(job, LOST)
    with transaction() as session:
        for name in ("ann", "bob"):
            outbox.retention.forget_emails(session, f"{name}@example.com")
    make_due()
    assert prepare(claim(1)) == []
    assert batches() == []


def test_an_answer_that_no_column_holds_leaves_the_batch_its_repeat(app: Flask):
    ids, job = two()
    job.answer_all(OutcomeUnknown("no answer \ud800", retryable=True))
    take_turn_or_halves([job], [], None)
    assert [batch.id for batch in batches()] == [row(each).batch_id for each in ids[:1]]
    make_due()
    end(start())
    assert (states(ids), batches()) == ([State.ACCEPTED] * 2, [])


def test_a_batch_whose_bytes_are_not_known_any_more_is_unknown(app: Flask):
    ids, job = two()
    end(job, LOST)
    with transaction() as session:
        session.execute(delete(OutboxBody).where(OutboxBody.id == job.batch_id))
    make_due()
    finish(claim(1))
    assert (states(ids), batches()) == ([State.UNKNOWN] * 2, [])


def test_a_batch_of_which_somebody_has_one_email_is_given_back_as_a_whole(
    make_app: MakeApp, postgresql_url: str
):
    app = make_app(DATABASE_URL=postgresql_url, **SETTINGS)
    with app.app_context():
        ids, _ = two()
        end_leases()
        with transaction() as session:
            session.execute(select(OUTBOX.c.id).where(OUTBOX.c.id == ids[0]).with_for_update())
            sweep()
            assert claim(1, quarantined=True) == []
        sweep()
        [job] = prepare(claim(1, quarantined=True))
        assert ids_of([job]) == ids
