"""Questions about many rows: lists, counts, and how the emails of each name fared."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from attrs import frozen
from sqlalchemy import ColumnElement, String, and_, case, cast, func, or_, select
from sqlalchemy.orm import Session

from outbox.tables import OutboxChange, OutboxEmail, OutboxRow, State
from providers import EventType

Row = TypeVar("Row", bound=OutboxRow)


def recent(
    session: Session,
    table: type[Row],
    *,
    state: str | None = None,
    to: str | None = None,
    query: str = "",
    limit: int = 100,
) -> Sequence[Row]:
    """The newest rows first: emails (`OutboxEmail`) or changes of subscribers (`OutboxChange`).

    Only those of one `state`, `to` one address, and with `query` in recipient or subject, if given.
    """
    statement = select(table).order_by(table.created_at.desc(), table.id.desc())
    if state:
        statement = statement.where(table.state == state)
    if to:
        statement = statement.where(table.recipient == to.strip().lower())
    if query:
        found = (table.recipient, table.subject)
        statement = statement.where(
            or_(*(column.icontains(query, autoescape=True) for column in found))
        )
    return session.scalars(statement.limit(limit)).all()


def failing_change(session: Session, *, attempts: int = 3) -> OutboxChange | None:
    """The newest change that failed, or was tried `attempts` times in vain; None if none was."""
    statement = select(OutboxChange).where(
        or_(
            OutboxChange.state == State.FAILED,
            and_(OutboxChange.state == State.QUEUED, OutboxChange.attempts >= attempts),
        )
    )
    return session.scalars(statement.order_by(OutboxChange.created_at.desc()).limit(1)).first()


def count_by_state(session: Session) -> dict[str, int]:
    """How many emails stand in each state, those without any included."""
    statement = select(OutboxEmail.state, func.count()).group_by(OutboxEmail.state)
    counts = {row[0]: row[1] for row in session.execute(statement)}
    return {state: counts.get(state, 0) for state in State}


@frozen
class Totals:
    """Counts of the emails of one name. A clicked email counts as opened and delivered, too."""

    kind: str
    accepted: int
    delivered: int
    opened: int
    clicked: int
    bounced: int
    complained: int
    unsubscribed: int


def totals(session: Session, *, since: datetime | None = None) -> Sequence[Totals]:
    """One line for each email name, those enqueued from `since` on if given."""
    statement = (
        select(
            OutboxEmail.kind,
            _count(OutboxEmail.accepted_at.is_not(None)),
            _count(_reached(EventType.DELIVERED, EventType.OPENED, EventType.CLICKED)),
            _count(_reached(EventType.OPENED, EventType.CLICKED)),
            _count(_reached(EventType.CLICKED)),
            _count(_marked(EventType.BOUNCED)),
            _count(_marked(EventType.COMPLAINED)),
            _count(_marked(EventType.UNSUBSCRIBED)),
        )
        .group_by(OutboxEmail.kind)
        .order_by(OutboxEmail.kind)
    )
    if since:
        statement = statement.where(OutboxEmail.created_at >= since)
    return [Totals(*row) for row in session.execute(statement)]


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _reached(*ranks: EventType) -> ColumnElement[bool]:
    return OutboxEmail.delivery_status.in_(ranks)


def _marked(mark: EventType) -> ColumnElement[bool]:
    return cast(OutboxEmail.marks, String).contains(f'"{mark}"')
