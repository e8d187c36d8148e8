"""Taking due rows for this process, so that no two processes ever hold the same one."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from flask import current_app
from sqlalchemy import and_, select, update

from message import new_id
from models import OutboxEmail, State
from outbox.states import check_move, move
from outbox.transactions import now, transaction


@frozen(kw_only=True)
class Claimed:
    """A row that is ours until `lease_until`; `token` proves it when the outcome is recorded.

    `stored` is the frozen message; `provider` is set when the row is bound to one.
    """

    id: str
    token: str
    lease_until: datetime
    stored: dict[str, Any]
    attempts: int
    provider: str | None


def claim(limit: int, *, ids: Iterable[str] | None = None, overdue: float = 0) -> list[Claimed]:
    """Lease up to `limit` due rows, the longest waiting first; only `ids` if given.

    With `overdue` only rows that have been due for that many seconds. Rows past their expiry
    are moved to `expired` here, in the same transaction, and not returned.
    """
    check_move(State.QUEUED, State.SENDING)
    token = new_id()
    with transaction() as session:
        moment = now(session)
        lease_until = moment + timedelta(seconds=current_app.config["EMAIL_LEASE"])
        due = and_(
            OutboxEmail.state == State.QUEUED,
            OutboxEmail.due_at <= moment - timedelta(seconds=overdue),
        )
        if ids is not None:
            due = and_(due, OutboxEmail.id.in_(list(ids)))
        # A common table expression, because PostgreSQL may run a plain subquery several times
        # and then takes more than `limit`. The outer WHERE repeats the predicate, because without
        # it PostgreSQL hands a row out twice.
        chosen = (
            select(OutboxEmail.id)
            .where(due)
            .order_by(OutboxEmail.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("chosen")
        )
        statement = (
            update(OutboxEmail)
            .where(OutboxEmail.id.in_(select(chosen.c.id)), due)
            .values(
                state=State.SENDING,
                lease_token=token,
                lease_until=lease_until,
                calling_since=None,
            )
            .returning(OutboxEmail)
            .execution_options(synchronize_session=False)
        )
        rows = list(session.scalars(statement))
        for row in rows:
            if row.expires_at and row.expires_at <= moment:
                move(session, row.id, State.SENDING, State.EXPIRED, token=token)
    fresh = [row for row in rows if not row.expires_at or row.expires_at > moment]
    return [_claimed(row, token, lease_until) for row in sorted(fresh, key=lambda row: row.due_at)]


def _claimed(row: OutboxEmail, token: str, lease_until: datetime) -> Claimed:
    return Claimed(
        id=row.id,
        token=token,
        lease_until=lease_until,
        stored=row.message,
        attempts=row.attempts,
        provider=row.provider,
    )


def release(claimed: Claimed) -> None:
    """Give a claimed row back untouched, for somebody else to claim at once."""
    with transaction() as session:
        move(session, claimed.id, State.SENDING, State.QUEUED, token=claimed.token)
