"""Rows that nobody finishes: leases that ran out, and unknown outcomes whose wait is over.

Each step begins with a read that takes no write lock, changes some rows only, and is called again
while there are more.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from database import changed_rows, now, transaction, try_turn
from extensions import email
from outbox.batches import end_members, lock_members
from outbox.kinds import kind_of_row, known_tasks
from outbox.retention import redact_sensitive
from outbox.settling import end_waiting
from outbox.states import check_move, move
from outbox.tables import ATTEMPTS, OPEN_OUTCOMES, OUTBOX, AttemptOutcome, State, in_state
from outbox.timeline import add_event

logger = logging.getLogger(__name__)

MAX_CRASHES = 3
BATCH = 500  # rows a transaction


def sweep() -> int:
    """Give back what its worker lost, expire what is too late, and apply `if_unknown`.

    Returns how many rows moved.
    """
    return end_lost_leases() + expire_late() + resend_unknown()


def end_lost_leases() -> int:
    """A worker died: what was only claimed is queued again; a call is repeated where that is safe,
    else nobody knows."""
    total = _while_some(_end_some_leases)
    if total:
        logger.warning("sweep: %d emails lost their worker", total)
    return total


def _end_some_leases() -> int:
    columns = ("task", "calling_since", "delivery_status", "provider", "crashes", "quarantined")
    with transaction() as session:
        moment = now(session)
        lost = and_(
            in_state(State.SENDING),
            OUTBOX.c.lease_until < moment,
            OUTBOX.c.batch_id.is_(None),  # those in a batch share its lease, and its fate
            OUTBOX.c.task.in_(known_tasks()),
        )
        if not _found(session, lost):
            return 0
        rows = session.execute(
            _some(lost, OUTBOX.c.lease_until, *(OUTBOX.c[name] for name in columns))
        ).all()
        total = 0
        for row in rows:
            if total < BATCH:
                total += _end_lease(session, row, moment)
    return total


def _end_lease(session: Session, row: Row[Any], moment: datetime) -> int:
    """How many rows moved: those in a batch move with it, and none while somebody has one."""
    if row.task == "batch" and not lock_members(session, row.id):
        return 0
    called = row.calling_since is not None
    state = _after_lost_lease(row)
    check_move(State.SENDING, state)
    values: dict[str, Any] = {
        "state": state,
        "due_at": moment,
        "lease_token": None,
        "lease_until": None,
        "calling_since": None,
    }
    if called:
        values |= {
            "pinned": True,
            "only_provider": row.provider,
            "quarantined": True,
            "crashes": _crashes(row),
            "last_error": "worker_lost: the process that was sending it died",
        }
    if state is State.ACCEPTED:
        values |= {"accepted_at": moment, "pinned": False, "only_provider": None}
    if state is State.UNKNOWN:
        values |= {"unknown_since": moment}
    session.execute(update(OUTBOX).where(OUTBOX.c.id == row.id).values(values))
    told: Sequence[str] = [row.id]
    if row.task == "batch":
        told = end_members(session, row.id, row.provider, state, moment)
    for row_id in told if called else ():
        _tell_of_lost_worker(session, row_id, state, moment)
    if state is State.ACCEPTED:
        redact_sensitive(session, row.id, moment)
    return max(1, len(told))


def _crashes(row: Row[Any]) -> int:
    """A quarantined row is called alone, so its death counts against it."""
    return int(row.crashes) + (1 if row.quarantined else 0)


def _after_lost_lease(row: Row[Any]) -> State:
    if row.delivery_status is not None:  # an event came: the provider has it
        return State.ACCEPTED
    if row.calling_since is None:
        return State.QUEUED
    repeatable = kind_of_row(row.task).repeatable
    if not repeatable and row.provider not in _with_keys():
        return State.UNKNOWN
    if _crashes(row) >= MAX_CRASHES:
        # It was called at least once, and a call may have been accepted.
        return State.FAILED if repeatable else State.UNKNOWN
    return State.QUEUED


def _with_keys() -> list[str]:
    """The providers that recognise a repeat."""
    return [name for name in email.chain if email.provider(name).capabilities.idempotency_window]


def _tell_of_lost_worker(session: Session, row_id: str, state: State, moment: datetime) -> None:
    """In the open attempt where there is one, else in a line of its own."""
    decision = f"{state} again" if state is State.QUEUED else str(state)
    ended = changed_rows(
        session,
        update(ATTEMPTS)
        .where(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.email_id == row_id)
        .values(
            ended_at=moment,
            outcome=AttemptOutcome.WORKER_LOST,
            error="the process died during the call",
            decision=decision,
        ),
    )
    if not ended:
        add_event(session, row_id, AttemptOutcome.WORKER_LOST, decision, at=moment)


def expire_late() -> int:
    """Too late for rows that wait. An unknown one stays unknown, and is not sent again."""
    return _while_some(_expire_some)


def _expire_some() -> int:
    with transaction() as session:
        moment = now(session)
        late = and_(
            in_state(State.QUEUED), OUTBOX.c.expires_at.is_not(None), OUTBOX.c.expires_at <= moment
        )
        if not _found(session, late):
            return 0
        rows = session.execute(
            _some(late, OUTBOX.c.expires_at, OUTBOX.c.pinned, OUTBOX.c.delivery_status)
        ).all()
        for row in rows:
            end_waiting(session, row, moment)
    return len(rows)


def resend_unknown() -> int:
    """Once per email: a policy may risk a second copy, not a third."""
    total = _while_some(_resend_some)
    if total:
        logger.warning("sweep: %d emails whose outcome is unknown are sent again", total)
    return total


def _resend_some() -> int:
    lost_answers = (
        select(func.count())
        .where(ATTEMPTS.c.email_id == OUTBOX.c.id, ATTEMPTS.c.outcome.in_(OPEN_OUTCOMES))
        .scalar_subquery()
    )
    wait = timedelta(seconds=current_app.config["EMAIL_UNKNOWN_WAIT"])
    with transaction() as session:
        moment = now(session)
        patient = and_(
            in_state(State.UNKNOWN),
            OUTBOX.c.unknown_since <= moment - wait,
            OUTBOX.c.if_unknown == "resend",
            or_(OUTBOX.c.expires_at.is_(None), OUTBOX.c.expires_at > moment),
            lost_answers < 2,
        )
        if not _found(session, patient):
            return 0
        rows = session.execute(_some(patient, OUTBOX.c.unknown_since)).all()
        for row in rows:
            move(
                session, row.id, State.UNKNOWN, State.QUEUED, due_at=moment, unknown_since=None,
                pinned=False, only_provider=None, single=True,
            )  # fmt: skip
            words = f"no news for {wait.total_seconds():g} s"
            add_event(session, row.id, "sent_again", words, at=moment)
    return len(rows)


def _found(session: Session, which: ColumnElement[bool]) -> bool:
    """Whether there are such rows, and no other process is at work on any just now."""
    first = session.scalar(select(OUTBOX.c.id).where(which).limit(1))
    return first is not None and try_turn(session, "housekeeping")


def _some(
    which: ColumnElement[bool], oldest: ColumnElement[Any], *columns: ColumnElement[Any]
) -> Select[Any]:
    """Some of these rows, locked, in the order of the index that finds them.

    So none is waited for: whoever holds one may be waiting for another of them.
    """
    statement = select(OUTBOX.c.id, *columns).where(which).order_by(oldest).limit(BATCH)
    return statement.with_for_update(skip_locked=True)


def _while_some(step: Callable[[], int]) -> int:
    total = 0
    while count := step():
        total += count
    return total
