"""Questions about the outbox: lists, one email with its timeline, and counts. Changes nothing."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from models import OutboxEmail, State


@frozen
class Moment:
    """One line of a timeline."""

    at: datetime
    type: str
    detail: str = ""


def recent(
    session: Session, *, state: str | None = None, query: str = "", limit: int = 100
) -> Sequence[OutboxEmail]:
    """The newest emails first, of one state and with `query` in recipient or subject, if given."""
    statement = select(OutboxEmail).order_by(OutboxEmail.created_at.desc(), OutboxEmail.id.desc())
    if state:
        statement = statement.where(OutboxEmail.state == state)
    if query:
        found = (OutboxEmail.recipient, OutboxEmail.subject)
        statement = statement.where(
            or_(*(column.icontains(query, autoescape=True) for column in found))
        )
    return session.scalars(statement.limit(limit)).all()


def find(session: Session, email_id: str) -> OutboxEmail | None:
    """The email with this id; None if there is none."""
    return session.get(OutboxEmail, email_id)


def timeline(email: OutboxEmail) -> list[Moment]:
    """What happened to the email, oldest first."""
    moments = [Moment(email.created_at, "enqueued", email.kind)]
    for attempt in email.tries:
        moments.append(Moment(attempt.started_at, "attempt", attempt.provider))
        if attempt.ended_at and attempt.outcome:
            detail = " ".join(
                str(part) for part in (attempt.provider, attempt.http_status, attempt.error) if part
            )
            moments.append(Moment(attempt.ended_at, attempt.outcome, detail))
    if email.state in (State.SUPPRESSED, State.EXPIRED, State.CANCELLED):
        moments.append(Moment(moments[-1].at, email.state, email.last_error or ""))
    return moments


def count_by_state(session: Session) -> dict[str, int]:
    """How many emails stand in each state, those without any included."""
    statement = select(OutboxEmail.state, func.count()).group_by(OutboxEmail.state)
    counts = {row[0]: row[1] for row in session.execute(statement)}
    return {state: counts.get(state, 0) for state in State}
