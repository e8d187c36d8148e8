"""Emails that share one call: reading them again for a repeat, and what an answer means for all.

A batch is a row of its own while its outcome is open. Its id is the idempotency key, so the emails
in it, their order and their bytes stay as they were when it was started. Once it is settled each
email has its own outcome, and the row goes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from errors import InvalidMessage
from outbox.jobs import Held, Job
from outbox.outcomes import Outcome, outcome_of
from outbox.retention import redact_sensitive
from outbox.tables import OUTBOX, State
from providers import Receipt

_AGAIN = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("row_id"))
    .values(
        state=State.QUEUED,
        attempts=bindparam("attempts"),
        due_at=bindparam("due_at"),
        pinned=True,
        quarantined=False,
        crashes=0,
        lease_token=None,
        lease_until=None,
        calling_since=None,
    )
)

# An event told of them, or they are too late: only their bytes were still needed.
_LEFT = (
    update(OUTBOX)
    .where(
        OUTBOX.c.batch_id == bindparam("of"),
        OUTBOX.c.state.not_in((State.QUEUED, State.SENDING)),
    )
    .values(batch_id=None)
    .returning(OUTBOX.c.id, OUTBOX.c.state)
)


def members(session: Session, batch_id: str) -> list[Held]:
    """The emails of a batch in their order."""
    narrow = [OUTBOX.c[name] for name in Held.__annotations__]
    statement = select(*narrow).where(OUTBOX.c.batch_id == batch_id)
    return [Held(*row) for row in session.execute(statement.order_by(OUTBOX.c.batch_position))]


def batch_outcomes(session: Session, job: Job, moment: datetime) -> list[Outcome] | None:
    """What the answer to a whole batch means for each email; None if each has its own answer.

    Keeps the row of the batch while it is to be repeated, and removes it otherwise.
    """
    whole = job.answers[0]
    if isinstance(whole, Receipt) or any(each is not whole for each in job.answers):
        remove(session, job.batch_id, moment)
        return None
    outcome = outcome_of(
        whole,
        attempts=(job.batch.attempts if job.batch else 0) + 1,
        provider=job.provider,
        chain=(),
        pinned=job.batch is not None,
    )
    if outcome.pinned and outcome.state is State.QUEUED:
        _repeat_later(session, job, outcome, moment)
        return [_of_member(outcome, row, batch_id=job.batch_id) for row in job.rows]
    remove(session, job.batch_id, moment)
    if outcome.pinned:  # never by themselves: one of them may have been accepted
        unknown = evolve(outcome, state=State.UNKNOWN)
        return [_of_member(unknown, row) for row in job.rows]
    if isinstance(whole, InvalidMessage):  # one of them, or all together: each is asked alone
        alone = evolve(outcome, state=State.QUEUED, single=True)
        return [evolve(_of_member(alone, row), attempts=row.attempts) for row in job.rows]
    return None


def remove(session: Session, batch_id: str | None, moment: datetime) -> None:
    """Forget a batch whose emails are on their own again. The caller says what becomes of those
    that are queued or on their way."""
    session.execute(delete(OUTBOX).where(OUTBOX.c.id == batch_id))
    for row_id, state in session.execute(_LEFT, {"of": batch_id}).all():
        if state == State.ACCEPTED:
            redact_sensitive(session, row_id, moment)


def lock_members(session: Session, batch_id: str) -> bool:
    """Lock the emails of a batch that is locked; False if somebody else has one, who may be
    waiting for the batch."""
    emails = select(OUTBOX.c.id).where(OUTBOX.c.batch_id == batch_id)
    locked = session.scalars(emails.with_for_update(skip_locked=True)).all()
    return len(locked) == len(session.scalars(emails).all())


def end_members(
    session: Session, batch_id: str, provider: str, state: State, moment: datetime
) -> Sequence[str]:
    """The process that had the batch died: its emails wait with it (`queued`) or are `unknown`.

    Their ids. They never go out by themselves, as one of them may have been accepted.
    """
    values: dict[str, Any] = {
        "state": state, "due_at": moment, "pinned": True, "only_provider": provider,
        "lease_token": None, "lease_until": None, "calling_since": None,
    }  # fmt: skip
    if state is State.UNKNOWN:
        values |= {
            "unknown_since": moment, "batch_id": None,
            "last_error": "worker_lost: the process that was sending its batch died",
        }  # fmt: skip
    on_their_way = OUTBOX.c.state.in_((State.QUEUED, State.SENDING))
    emails = update(OUTBOX).where(OUTBOX.c.batch_id == batch_id, on_their_way)
    ids = session.scalars(emails.values(values).returning(OUTBOX.c.id)).all()
    if state is State.UNKNOWN:
        remove(session, batch_id, moment)
    return ids


def _repeat_later(session: Session, job: Job, outcome: Outcome, moment: datetime) -> None:
    due_at = outcome.values(moment)["due_at"]
    session.execute(
        _AGAIN, {"row_id": job.batch_id, "attempts": outcome.attempts, "due_at": due_at}
    )


def _of_member(outcome: Outcome, row: Held, batch_id: str | None = None) -> Outcome:
    return evolve(outcome, attempts=row.attempts + 1, batch_id=batch_id)
