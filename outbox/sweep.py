"""Rows that nobody finishes: leases that ran out, and unknown outcomes whose wait is over."""

import logging
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select, update
from sqlalchemy.orm import Session

from database import changed_rows, now, returned, transaction
from extensions import email
from outbox.retention import redact_accepted
from outbox.states import check_move
from outbox.tables import OPEN_OUTCOMES, Attempt, AttemptOutcome, OutboxRow, State
from outbox.timeline import add_event

logger = logging.getLogger(__name__)

MAX_CRASHES = 3


def sweep() -> int:
    """Give back what its worker lost, expire what is too late, and apply `if_unknown`.

    Returns how many rows moved.
    """
    with transaction() as session:
        moment = now(session)
        lost = _end_lost_leases(session, moment)
        late = _expire(session, moment)
        resent = _resend_unknown(session, moment)
    if lost or resent:
        logger.warning("sweep: %d emails lost their worker, %d are sent again", lost, resent)
    return lost + late + resent


def _end_lost_leases(session: Session, moment: datetime) -> int:
    """A worker died: repeat where that is safe, else say that nobody knows."""
    for target in (State.ACCEPTED, State.QUEUED, State.UNKNOWN, State.FAILED):
        check_move(State.SENDING, target)
    lost = and_(OutboxRow.state == State.SENDING, OutboxRow.lease_until < moment)
    # Rows that a frozen process still has locked are left for the next sweep.
    ids = session.scalars(select(OutboxRow.id).where(lost).with_for_update(skip_locked=True)).all()
    if not ids:
        return 0
    called = OutboxRow.calling_since.is_not(None)
    reported = OutboxRow.delivery_status.is_not(None)  # an event came: the provider has it
    unsafe = and_(called, OutboxRow.task == "email", not_(_honours_keys()))
    # A quarantined row is claimed alone, so its death counts against it.
    crashes = OutboxRow.crashes + case((OutboxRow.quarantined, 1), else_=0)
    statement = (
        update(OutboxRow)
        .where(OutboxRow.id.in_(ids), lost)
        .values(
            state=case(
                (reported, State.ACCEPTED),
                (unsafe, State.UNKNOWN),
                (crashes >= MAX_CRASHES, State.FAILED),
                else_=State.QUEUED,
            ),
            accepted_at=case((reported, moment)),
            unknown_since=case((and_(unsafe, not_(reported)), moment)),
            due_at=moment,
            pinned=or_(OutboxRow.pinned, called),
            crashes=crashes,
            quarantined=True,
            lease_token=None,
            lease_until=None,
            calling_since=None,
            last_error="worker_lost: the process that was sending it died",
        )
    )
    states = returned(session, statement, OutboxRow.id, OutboxRow.state)
    _tell_of_lost_workers(session, states, moment)
    for row_id, state in states:
        if state == State.ACCEPTED:
            redact_accepted(session, row_id, moment)
    return len(states)


def _tell_of_lost_workers(
    session: Session, states: list[tuple[Any, ...]], moment: datetime
) -> None:
    """In the open attempt where there is one, else in a line of its own."""
    for row_id, state in states:
        decision = f"{state} again" if state == State.QUEUED else state
        ended = changed_rows(
            session,
            update(Attempt)
            .where(Attempt.ended_at.is_(None), Attempt.email_id == row_id)
            .values(
                ended_at=moment,
                outcome=AttemptOutcome.WORKER_LOST,
                error="the process died during the call",
                decision=decision,
            ),
        )
        if not ended:
            add_event(session, row_id, AttemptOutcome.WORKER_LOST, decision, at=moment)


def _expire(session: Session, moment: datetime) -> int:
    """Too late for rows that wait, and for unknown ones that would be sent again."""
    for source in (State.QUEUED, State.UNKNOWN):
        check_move(source, State.EXPIRED)
    again = and_(OutboxRow.state == State.UNKNOWN, OutboxRow.if_unknown == "resend")
    statement = (
        update(OutboxRow)
        .where(or_(OutboxRow.state == State.QUEUED, again), OutboxRow.expires_at <= moment)
        .values(state=State.EXPIRED)
    )
    expired = returned(session, statement, OutboxRow.id)
    for (row_id,) in expired:
        add_event(session, row_id, State.EXPIRED, at=moment)
    return len(expired)


def _resend_unknown(session: Session, moment: datetime) -> int:
    """Once per email: a policy may risk a second copy, not a third."""
    check_move(State.UNKNOWN, State.QUEUED)
    lost_answers = (
        select(func.count())
        .where(Attempt.email_id == OutboxRow.id, Attempt.outcome.in_(OPEN_OUTCOMES))
        .scalar_subquery()
    )
    wait = timedelta(seconds=current_app.config["EMAIL_UNKNOWN_WAIT"])
    statement = (
        update(OutboxRow)
        .where(
            OutboxRow.state == State.UNKNOWN,
            OutboxRow.if_unknown == "resend",
            OutboxRow.unknown_since <= moment - wait,
            lost_answers < 2,
        )
        .values(state=State.QUEUED, due_at=moment, unknown_since=None, pinned=False)
    )
    resent = returned(session, statement, OutboxRow.id)
    for (row_id,) in resent:
        add_event(
            session, row_id, "sent_again", f"no news for {wait.total_seconds():g} s", at=moment
        )
    return len(resent)


def _honours_keys() -> ColumnElement[bool]:
    names = [name for name in email.chain if email.provider(name).capabilities.idempotency_window]
    return OutboxRow.provider.in_(names)
