"""When there is something to do: reads that name an index and take no write lock."""

from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select
from sqlalchemy.orm import Session

from database import now
from outbox.lanes import LaneState
from outbox.tables import OUTBOX, QUARANTINED, Lane, State, in_state, own_host


def _earliest(*conditions: ColumnElement[bool]) -> ScalarSelect[datetime]:
    ours = (in_state(State.QUEUED), OUTBOX.c.host == bindparam("host"))
    earliest = select(func.min(OUTBOX.c.due_at)).where(*ours, *conditions)
    return earliest.scalar_subquery()


_LANES = [OUTBOX.c.lane == int(lane) for lane in Lane]
_PAUSED = select(LaneState.paused_at).where(LaneState.lane == Lane.MARKETING).scalar_subquery()
_FIRST = select(*(_earliest(lane) for lane in _LANES), _earliest(QUARANTINED), _PAUSED)
_NEXT = select(*(_earliest(lane, OUTBOX.c.due_at > bindparam("after")) for lane in _LANES))


@frozen
class Due:
    """Whether rows are due, and whether one is that must be delivered alone."""

    rows: bool
    alone: bool


def look(session: Session, overdue: float = 0) -> Due:
    """What is due at this moment, or has been for `overdue` seconds."""
    moment = now(session)
    first = session.connection().execute(_FIRST, {"host": own_host()})
    *times, alone_at, paused_at = first.one()
    if paused_at:
        del times[Lane.MARKETING]
    since = moment - timedelta(seconds=overdue)
    return Due(
        rows=any(at <= since for at in times if at),
        alone=alone_at is not None and alone_at <= moment,
    )


def next_moment(session: Session, moment: datetime) -> datetime | None:
    """When the next row becomes due, after `moment`."""
    times = session.connection().execute(_NEXT, {"after": moment, "host": own_host()}).one()
    return min((each for each in times if each), default=None)
