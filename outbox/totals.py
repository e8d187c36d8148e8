"""How the emails of each name fared, counted over the emails and not over the events."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import ColumnElement, String, case, cast, func, select
from sqlalchemy.orm import Session

from models import OutboxEmail
from providers import EventType


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
