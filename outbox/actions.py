"""What a person may do to a row that stands still, and what an event proves about it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import and_, case, select, update
from sqlalchemy.orm import Session

from database import in_batches, now_in, utc_now
from outbox.retention import redact_sensitive
from outbox.settling import MAY_HAVE_ARRIVED
from outbox.states import MOVES, check_move, move
from outbox.tables import OUTBOX, OutboxEmail, OutboxRow, State, in_state
from outbox.timeline import add_event, add_events

BY_HAND = "by hand"


def retry(session: Session, row_id: str, *, by: str = BY_HAND) -> bool:
    """Queue a failed row again, attempts at 0 and the same key; False if it is not failed.

    Also False once its body is gone: there is nothing left to send.
    """
    return bool(_retry(session, [row_id], by))


def retry_failed(session: Session, *, by: str = BY_HAND) -> Iterator[int]:
    """Queue every failed row again, each once, in batches: yields how many, and you commit."""
    for ids in in_batches(session, OUTBOX.c.id, *_FAILED):
        yield _retry(session, ids, by)


_FAILED = (in_state(State.FAILED), OUTBOX.c.redacted_at.is_(None))
# An email may go out through any provider again; a subscriber stays where the list is.
_ANYWHERE = and_(OUTBOX.c.task == "email", OUTBOX.c.pinned.is_(False))


def _retry(session: Session, ids: Sequence[str], by: str) -> int:
    failed = select(OUTBOX.c.id).where(OUTBOX.c.id.in_(ids), *_FAILED).order_by(OUTBOX.c.id)
    # Locked: a purge may be removing the bodies this moment.
    locked = session.scalars(failed.with_for_update()).all()
    check_move(State.FAILED, State.QUEUED)
    again = update(OUTBOX).where(OUTBOX.c.id.in_(locked)).values(
        state=State.QUEUED, due_at=now_in(session), attempts=0, crashes=0, quarantined=False,
        only_provider=case((_ANYWHERE, None), else_=OUTBOX.c.only_provider),
    )  # fmt: skip
    session.execute(again)
    add_events(session, locked, "retried", by)
    return len(locked)


def cancel(session: Session, row_id: str, *, by: str = BY_HAND) -> bool:
    """Take a queued row back; False if it is not queued, or a worker was faster.

    One that an earlier call may have sent becomes `unknown`, and is not sent again.
    """
    row = session.get(OutboxRow, row_id, with_for_update=True, populate_existing=True)
    if row is None:
        return False
    pinned = row.pinned and isinstance(row, OutboxEmail)
    moved = move(
        session, row_id, State.QUEUED, State.UNKNOWN if pinned else State.CANCELLED,
        last_error=f"cancelled {by}; {MAY_HAVE_ARRIVED}" if pinned else f"cancelled {by}",
        **({"unknown_since": now_in(session), "if_unknown": "hold"} if pinned else {}),
    )  # fmt: skip
    return moved and _noted(session, row_id, "cancelled", by)


def cancel_marketing(session: Session, address: str, *, by: str) -> int:
    """Take back the marketing that waits for an address; how many emails that were."""
    waiting = select(OutboxEmail.id).where(
        OutboxEmail.recipient == address.lower(),
        OutboxEmail.category == "marketing",
        OutboxEmail.state == State.QUEUED,
        OutboxEmail.pinned.is_(False),  # of the others one copy may be on its way
    )
    return sum(cancel(session, email_id, by=by) for email_id in session.scalars(waiting).all())


def resolve_as_sent(session: Session, row_id: str, *, by: str = BY_HAND) -> bool:
    """Somebody found out that an unknown email was accepted; False if it is not unknown."""
    moved = move(
        session, row_id, State.UNKNOWN, State.ACCEPTED, accepted_at=utc_now(), pinned=False,
        last_error=f"resolved {by}: it was sent",
    )  # fmt: skip
    if moved:
        redact_sensitive(session, row_id, utc_now())
    return moved and _noted(session, row_id, "resolved", f"{by}: it was sent")


def resolve_by_resending(session: Session, row_id: str, *, by: str = BY_HAND) -> bool:
    """Send an unknown email again, at the risk of a second copy; False if it is not unknown."""
    moved = move(
        session, row_id, State.UNKNOWN, State.QUEUED, due_at=now_in(session), attempts=0,
        pinned=False, only_provider=None, single=True, batch_id=None, unknown_since=None,
        last_error=f"resolved {by}: sent again",
    )  # fmt: skip
    return moved and _noted(session, row_id, "resolved", f"{by}: sent again")


def confirm_accepted(
    session: Session,
    email: OutboxEmail,
    *,
    provider: str,
    provider_message_id: str | None,
    at: datetime,
) -> None:
    """An event proves that `provider` has the email: whatever waits or is over is `accepted`."""
    source = State(email.state)
    if source is State.ACCEPTED or State.ACCEPTED not in MOVES[source]:
        return
    if source is State.SENDING:
        return  # the call's own answer comes; where it does not, the event decides
    move(
        session, email.id, source, State.ACCEPTED, accepted_at=at, pinned=False,
        only_provider=None, unknown_since=None, provider=provider, last_error=None,
        provider_message_id=provider_message_id or email.provider_message_id,
    )  # fmt: skip
    session.refresh(email)
    redact_sensitive(session, email.id, utc_now())


def _noted(session: Session, row_id: str, what: str, detail: str) -> bool:
    add_event(session, row_id, what, detail)
    return True
