"""Rows that nobody finishes: leases that ran out, and unknown outcomes whose wait is over."""

import logging
from datetime import timedelta

from flask import current_app
from sqlalchemy import ColumnElement, and_, case, func, not_, or_, select, update
from sqlalchemy.orm import Session

from extensions import email as email_service
from models import Attempt, OutboxEmail, State
from outbox.states import check_move
from outbox.transactions import changed_rows, now, transaction

logger = logging.getLogger(__name__)


def sweep() -> int:
    """Give back what its worker lost, and apply `if_unknown`; returns how many rows moved."""
    with transaction() as session:
        moved = _end_lost_leases(session) + _resend_unknown(session)
    if moved:
        logger.warning("the sweeper moved %d emails whose worker or answer was lost", moved)
    return moved


def oldest_due_age() -> float:
    """How many seconds the longest waiting due row has been due; 0 if none is."""
    with transaction() as session:
        moment = now(session)
        oldest = session.scalar(
            select(func.min(OutboxEmail.due_at)).where(OutboxEmail.state == State.QUEUED)
        )
    return max(0.0, (moment - oldest).total_seconds()) if oldest else 0.0


def _end_lost_leases(session: Session) -> int:
    """A worker died: repeat where that is safe, else say that nobody knows."""
    check_move(State.SENDING, State.QUEUED)
    check_move(State.SENDING, State.UNKNOWN)
    moment = now(session)
    lost = and_(OutboxEmail.state == State.SENDING, OutboxEmail.lease_until < moment)
    session.execute(
        update(Attempt)
        .where(
            Attempt.ended_at.is_(None),
            Attempt.email_id.in_(select(OutboxEmail.id).where(lost)),
        )
        .values(ended_at=moment, outcome="worker_lost", error="the process died during the call")
    )
    safe = or_(OutboxEmail.calling_since.is_(None), _honours_keys())
    return changed_rows(
        session,
        update(OutboxEmail)
        .where(lost)
        .values(
            state=case((safe, State.QUEUED), else_=State.UNKNOWN),
            unknown_since=case((not_(safe), moment)),
            due_at=moment,
            crashes=OutboxEmail.crashes + 1,
            lease_token=None,
            lease_until=None,
            calling_since=None,
            last_error="its worker died",
        ),
    )


def _resend_unknown(session: Session) -> int:
    check_move(State.UNKNOWN, State.QUEUED)
    moment = now(session)
    wait = timedelta(seconds=current_app.config["EMAIL_UNKNOWN_WAIT"])
    return changed_rows(
        session,
        update(OutboxEmail)
        .where(
            OutboxEmail.state == State.UNKNOWN,
            OutboxEmail.if_unknown == "resend",
            OutboxEmail.unknown_since < moment - wait,
        )
        .values(state=State.QUEUED, due_at=moment, unknown_since=None),
    )


def _honours_keys() -> ColumnElement[bool]:
    names = [
        name
        for name in email_service.chain
        if email_service.provider(name).capabilities.idempotency_window
    ]
    return OutboxEmail.provider.in_(names)
