"""Taking due rows for this process, so that no two processes ever hold the same one."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from flask import current_app
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from database import now, transaction
from extensions import email
from message import new_id
from outbox.breaker import Availability, availability, begin_probe
from outbox.retention import redact_accepted
from outbox.states import check_move, move
from outbox.suppression import Suppressed, suppressed
from outbox.tables import OutboxRow, State
from outbox.timeline import add_event


@frozen(kw_only=True)
class Claimed:
    """A row that is ours until `lease_until`; `token` proves it when the outcome is recorded.

    `task` says whether `stored` is a frozen message (`email`) or a frozen change (`subscriber`).
    `provider` is the one to call; `pinned` says that the row must stay with it, because an earlier
    call may have been accepted there.
    """

    id: str
    task: str
    recipient: str
    sensitive: bool
    token: str
    lease_until: datetime
    stored: dict[str, Any]
    attempts: int
    provider: str
    pinned: bool


def claim(
    limit: int,
    *,
    ids: Iterable[str] | None = None,
    overdue: float = 0,
    quarantined: bool = False,
    changes: int | None = None,
) -> list[Claimed]:
    """Lease up to `limit` due rows, emails first, the longest waiting first; only `ids` if given.

    At most `changes` of them are changes of subscribers. With `overdue` only rows that have been
    due for that many seconds. `quarantined` rows, with which a worker died, are claimed only when
    asked for. Rows that expired or whose recipients are suppressed are settled in the same
    transaction and not returned; while no provider may be called nothing is claimed.
    """
    with transaction() as session:
        moment = now(session)
        callable_now = availability(session, email.chain, moment)
        if not callable_now.any:
            return []
        due = and_(
            OutboxRow.state == State.QUEUED,
            OutboxRow.due_at <= moment - timedelta(seconds=overdue),
            OutboxRow.quarantined.is_(quarantined),
            may_go_out_through(callable_now),
        )
        if ids is not None:
            due = and_(due, OutboxRow.id.in_(list(ids)))
        limit = limit if callable_now.usable else 1
        rows = _lease(session, and_(due, OutboxRow.task == "email"), limit, moment)
        room = limit - len(rows)
        room = room if changes is None else min(room, changes)
        if room > 0 and callable_now.usable:  # a change is no probe
            rows += _lease(session, and_(due, OutboxRow.task == "subscriber"), room, moment)
        stopped = suppressed(session, (row.message for row in rows))
        live = [row for row in rows if not _settled(session, row, moment, stopped)]
        return _with_providers(session, live, callable_now, moment)


def quarantined_is_due() -> bool:
    """Whether a row with which a worker died waits, and may be delivered alone now."""
    with transaction() as session:
        moment = now(session)
        callable_now = availability(session, email.chain, moment)
        due = select(OutboxRow.id).where(
            OutboxRow.state == State.QUEUED,
            OutboxRow.quarantined,
            OutboxRow.due_at <= moment,
            may_go_out_through(callable_now),
        )
        return callable_now.any and session.scalar(due.limit(1)) is not None


def release(claimed: Claimed) -> None:
    """Give a claimed row back untouched, for somebody else to claim at once."""
    with transaction() as session:
        move(session, claimed.id, State.SENDING, State.QUEUED, token=claimed.token)


def may_go_out_through(callable_now: Availability) -> ColumnElement[bool]:
    """Whether a row is not bound to a provider that may not be called."""
    names = [*callable_now.usable, *filter(None, [callable_now.probe])]
    known = email.chain  # a provider that is no longer configured is looked at as well
    return or_(
        OutboxRow.pinned.is_(False),
        OutboxRow.provider.in_(names),
        OutboxRow.provider.not_in(known),
    )


def _lease(
    session: Session, due: ColumnElement[bool], limit: int, moment: datetime
) -> list[OutboxRow]:
    check_move(State.QUEUED, State.SENDING)
    # A common table expression, because PostgreSQL may run a plain subquery several times and
    # then takes more than `limit`. The outer WHERE repeats the predicate, because without it
    # PostgreSQL hands a row out twice.
    chosen = (
        select(OutboxRow.id)
        .where(due)
        .order_by(OutboxRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    statement = (
        update(OutboxRow)
        .where(OutboxRow.id.in_(select(chosen.c.id)), due)
        .values(
            state=State.SENDING,
            lease_token=new_id(),
            lease_until=moment + timedelta(seconds=current_app.config["EMAIL_LEASE"]),
            calling_since=None,
        )
        .returning(OutboxRow)
    )
    rows = session.scalars(statement, execution_options={"synchronize_session": False})
    return sorted(rows, key=lambda row: row.due_at)


def _settled(session: Session, row: OutboxRow, moment: datetime, stopped: Suppressed) -> bool:
    """Whether the row turned out not to be sent: it expired, nobody is left to write to, or an
    event came meanwhile, which proves that the provider has it already."""
    if row.delivery_status:
        moved = move(
            session, row.id, State.SENDING, State.ACCEPTED, token=row.lease_token,
            accepted_at=moment, pinned=False,
        )  # fmt: skip
        redact_accepted(session, row.id, moment)
        return moved
    if row.expires_at and row.expires_at <= moment:
        add_event(session, row.id, State.EXPIRED, at=moment)
        return move(session, row.id, State.SENDING, State.EXPIRED, token=row.lease_token)
    kept, who = stopped.filter(row.message, row.category)
    if not who:
        return False
    if not kept["to"]:
        add_event(session, row.id, State.SUPPRESSED, who, at=moment)
        return move(
            session, row.id, State.SENDING, State.SUPPRESSED, token=row.lease_token,
            last_error=who,
        )  # fmt: skip
    if not row.pinned:  # the bytes of a call that may have been accepted never change
        row.message = kept
        add_event(session, row.id, "left_out", who, at=moment)
    return False


def _with_providers(
    session: Session, rows: Sequence[OutboxRow], callable_now: Availability, moment: datetime
) -> list[Claimed]:
    """Give each row its provider; rows that are left without one go back."""
    probe = callable_now.probe
    claims: list[Claimed] = []
    for row in rows:
        provider = _choose(row, callable_now.usable, probe)
        if provider is not None and provider == probe:
            probe = None  # one call is enough to learn whether it is back
            if not begin_probe(session, provider, moment):
                provider = _choose(row, callable_now.usable, None)
        if provider is None:
            move(session, row.id, State.SENDING, State.QUEUED, token=row.lease_token)
        else:
            claims.append(_claimed(row, provider))
    return claims


def _choose(row: OutboxRow, usable: Sequence[str], probe: str | None) -> str | None:
    chain = email.chain
    if row.pinned and row.provider in chain:
        return row.provider if row.provider in usable or row.provider == probe else None
    if row.provider in usable:
        return row.provider
    possible = {*usable, probe}
    return next((name for name in chain if name in possible), None)


def _claimed(row: OutboxRow, provider: str) -> Claimed:
    if row.lease_token is None or row.lease_until is None:
        raise AssertionError("a row that was just leased has its lease")
    return Claimed(
        id=row.id,
        task=row.task,
        recipient=row.recipient,
        sensitive=row.sensitive,
        token=row.lease_token,
        lease_until=row.lease_until,
        stored=row.message,
        attempts=row.attempts,
        provider=provider,
        pinned=row.pinned,
    )
