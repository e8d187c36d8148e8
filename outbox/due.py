"""When there is something to do: reads that name an index and take no write lock."""

from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from database import now
from outbox.tables import OUTBOX, QUARANTINED, Lane, State, in_state


@frozen
class Due:
    """Whether rows are due, and whether one is that must be delivered alone."""

    rows: bool
    alone: bool


def look(session: Session, overdue: float = 0) -> Due:
    """What is due at this moment, or has been for `overdue` seconds."""
    moment = now(session)
    alone = (
        select(func.min(OUTBOX.c.due_at)).where(in_state(State.QUEUED), QUARANTINED)
    ).scalar_subquery()
    *times, alone_at = session.execute(select(*(_earliest(lane) for lane in Lane), alone)).one()
    since = moment - timedelta(seconds=overdue)
    return Due(
        rows=any(at <= since for at in times if at),
        alone=alone_at is not None and alone_at <= moment,
    )


def next_moment(session: Session, moment: datetime) -> datetime | None:
    """When the next row becomes due, after `moment`."""
    times = session.execute(select(*(_earliest(lane, after=moment) for lane in Lane))).one()
    return min((each for each in times if each), default=None)


def _earliest(lane: Lane, after: datetime | None = None) -> ScalarSelect[datetime]:
    earliest = select(func.min(OUTBOX.c.due_at)).where(
        in_state(State.QUEUED), OUTBOX.c.lane == int(lane)
    )
    if after is not None:
        earliest = earliest.where(OUTBOX.c.due_at > after)
    return earliest.scalar_subquery()
