"""Questions about the outbox: lists, one email with its timeline, and counts. Changes nothing."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from models import Attempt, OutboxChange, OutboxEmail, OutboxRow, State
from providers import EventType


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


def find_row(session: Session, row_id: str) -> OutboxRow | None:
    """The email or change of a subscriber with this id; None if there is none."""
    return session.get(OutboxRow, row_id)


def troubled_change(session: Session, *, tries: int = 3) -> OutboxChange | None:
    """The newest change that failed, or was tried `tries` times in vain; None if none was."""
    statement = select(OutboxChange).where(
        or_(
            OutboxChange.state == State.FAILED,
            and_(OutboxChange.state == State.QUEUED, OutboxChange.attempts >= tries),
        )
    )
    return session.scalars(statement.order_by(OutboxChange.created_at.desc()).limit(1)).first()


def recent_changes(
    session: Session, *, state: str | None = None, limit: int = 100
) -> Sequence[OutboxChange]:
    """The newest changes of subscribers first, of one state if given."""
    statement = select(OutboxChange).order_by(OutboxChange.created_at.desc())
    if state:
        statement = statement.where(OutboxChange.state == state)
    return session.scalars(statement.limit(limit)).all()


def timeline(row: OutboxRow) -> list[Moment]:
    """What happened to the row, oldest first: enqueued, tried, reported on, decided upon."""
    moments = [Moment(row.created_at, "enqueued", _how_enqueued(row))]
    for attempt in row.tries:
        moments.append(Moment(attempt.started_at, "attempt", attempt.provider))
        if attempt.ended_at and attempt.outcome:
            moments.append(Moment(attempt.ended_at, attempt.outcome, _how_ended(attempt)))
    moments += [Moment(event.at, event.type, event.detail) for event in row.events]
    return sorted(moments, key=_order)


def _how_enqueued(row: OutboxRow) -> str:
    at_once = {event.type for event in row.events if event.at == row.created_at}
    judged = isinstance(row, OutboxEmail) and not at_once & {State.SUPPRESSED, "left_out"}
    parts = (row.kind, row.origin and f"by {row.origin}", judged and "nobody is suppressed")
    return ", ".join(part for part in parts if part)


def _how_ended(attempt: Attempt) -> str:
    known = (attempt.provider, attempt.http_status, attempt.error)
    detail = " ".join(str(part) for part in known if part)
    told = attempt.decision and attempt.decision != attempt.outcome
    return f"{detail} ({attempt.decision})" if told else detail


def _order(moment: Moment) -> datetime:
    # Providers cut the time of an event to the second, which would put it before its attempt.
    cut = moment.type in set(EventType) and not moment.at.microsecond
    return moment.at.replace(microsecond=999_999) if cut else moment.at


def count_by_state(session: Session) -> dict[str, int]:
    """How many emails stand in each state, those without any included."""
    statement = select(OutboxEmail.state, func.count()).group_by(OutboxEmail.state)
    counts = {row[0]: row[1] for row in session.execute(statement)}
    return {state: counts.get(state, 0) for state in State}
