"""How often something may happen, counted in rows: exact over all processes, without Redis."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Index, String, delete, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from database.base import Base, utc_now
from database.statements import take_turns
from message import new_id

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@frozen
class Limit:
    """At most `count` of `what` within `window` for `whom`: an address, a domain, an account.

    `what` is words for the record, such as `sign-ups`.
    """

    what: str
    whom: str
    count: int
    window: timedelta = HOUR

    @property
    def key(self) -> str:
        """What its uses are stored under; no address can be read from it."""
        return hashlib.sha256(f"{self.what}:{self.whom}".encode()).hexdigest()

    def __str__(self) -> str:
        return f"more than {self.count} {self.what} in {self.window / HOUR:g} h"


class LimitUse(Base):
    """One thing that counts until `until`; housekeeping removes it then."""

    __tablename__ = "limit_uses"
    __table_args__ = (Index("ix_limit_uses_limit_key_until", "limit_key", "until"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    limit_key: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime] = mapped_column(index=True)


def used_up(session: Session, *limits: Limit) -> Limit | None:
    """The first of `limits` that is used up; None if all have room.

    Whoever asks about one of them next waits until this transaction ends, so the answer holds.
    """
    for key in sorted(limit.key for limit in limits):  # in one order, or two could wait for ever
        take_turns(session, key)
    for limit in limits:
        uses = select(func.count()).where(
            LimitUse.limit_key == limit.key, LimitUse.until > utc_now()
        )
        if (session.scalar(uses) or 0) >= limit.count:
            return limit
    return None


def use(session: Session, *limits: Limit) -> list[str]:
    """Count one use of each, in `session`'s transaction; what takes them back."""
    now = utc_now()
    rows: list[dict[str, Any]] = [
        {"id": new_id(), "limit_key": limit.key, "until": now + limit.window} for limit in limits
    ]
    if rows:
        session.execute(insert(LimitUse), rows)
    return [row["id"] for row in rows]


def take_back(session: Session, uses: Sequence[str]) -> None:
    """Let these uses not count."""
    session.execute(delete(LimitUse).where(LimitUse.id.in_(uses)))


def forget_uses(session: Session, count: int) -> None:
    """Remove so many uses that count no longer."""
    old = select(LimitUse.id).where(LimitUse.until <= utc_now()).limit(count)
    old = old.with_for_update(skip_locked=True)  # another process may be doing so
    session.execute(delete(LimitUse).where(LimitUse.id.in_(old)))
