"""Lanes that wait for a person: none of their rows is claimed until somebody lets them go on."""

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen
from sqlalchemy import SmallInteger, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from database import Base, changed_rows, insert_if_new, iso
from outbox.tables import Lane


class LaneState(Base):
    """What every process knows about a lane; no row means that it goes."""

    __tablename__ = "lane_states"

    lane: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    paused_at: Mapped[datetime | None]  # none of its rows is claimed while this is set
    reason: Mapped[str | None] = mapped_column(Text)
    told_at: Mapped[datetime | None]  # when the owner was told of this pause
    resumed_at: Mapped[datetime | None]


@frozen
class Pause:
    """Since when a lane waits, and why."""

    since: datetime
    reason: str

    def __str__(self) -> str:
        return f"paused since {iso(self.since)}: {self.reason}"


_PAUSED = select(LaneState.lane, LaneState.paused_at, LaneState.reason).where(
    LaneState.paused_at.is_not(None)
)


def paused(session: Session) -> Mapping[Lane, Pause]:
    """The lanes that wait. Their rows stay queued, and are not late."""
    rows = session.connection().execute(_PAUSED)
    return {Lane(lane): Pause(since, reason or "") for lane, since, reason in rows if since}


def going(session: Session) -> list[Lane]:
    """The lanes whose rows may be claimed, the first lane first."""
    waiting = paused(session)
    return [lane for lane in Lane if lane not in waiting]


def pause(session: Session, lane: Lane, reason: str, moment: datetime) -> bool:
    """Let `lane` wait from `moment` on; False if it does already."""
    insert_if_new(session, LaneState, {"lane": int(lane)})
    statement = update(LaneState).where(LaneState.lane == lane, LaneState.paused_at.is_(None))
    values = {"paused_at": moment, "reason": reason, "told_at": None}
    return bool(changed_rows(session, statement.values(values)))


def resume(session: Session, lane: Lane, moment: datetime) -> bool:
    """Let `lane` go on; False if it is not paused. What it was paused for counts no more."""
    statement = update(LaneState).where(LaneState.lane == lane, LaneState.paused_at.is_not(None))
    values = {"paused_at": None, "reason": None, "resumed_at": moment}
    return bool(changed_rows(session, statement.values(values)))
