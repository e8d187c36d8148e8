"""What is not kept: old bodies, old rows, and emails and events of somebody who is forgotten."""

from datetime import timedelta
from typing import Any

from sqlalchemy import String, case, cast, delete, or_, select, update
from sqlalchemy.orm import Session

from models import OutboxEmail, OutboxRow, ReceivedEvent, State, utc_now
from outbox.blanking import blank
from outbox.transactions import changed_rows
from webhook_inbox import Outcome

BATCH = 500
REPEATED_FOR = timedelta(days=30)  # docs.stripe.com/webhooks: resent by hand for so long
DONE = (
    State.ACCEPTED, State.SUPPRESSED, State.EXPIRED, State.CANCELLED, State.FAILED,
)  # fmt: skip
"""States in which nothing more happens to an email by itself."""


class StillSending(Exception):
    """Somebody cannot be forgotten in the middle of an email."""


def remove_bodies(session: Session, *, older_than: timedelta) -> int:
    """Remove text and attachments of some emails that are done with; how many, 0 when none is left.

    At most `BATCH` of them, so that nobody waits long for the database: commit, and call it again.
    """
    moment = utc_now()
    old = select(OutboxEmail).where(
        OutboxEmail.state.in_(DONE),
        OutboxEmail.created_at < moment - older_than,
        OutboxEmail.blanked_at.is_(None),
    )
    emails = session.scalars(
        old.order_by(OutboxEmail.id).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    for email in emails:
        blank(email, moment)
    session.flush()
    return len(emails)


def remove_rows(session: Session, *, older_than: timedelta) -> int:
    """Remove some rows that are done with; how many, 0 when none is left. In batches, as above."""
    old = (OutboxRow.state.in_(DONE), OutboxRow.created_at < utc_now() - older_than)
    some = select(OutboxRow.id).where(*old).order_by(OutboxRow.id).limit(BATCH)
    return changed_rows(session, delete(OutboxRow).where(OutboxRow.id.in_(some), *old))


def remove_events(session: Session, *, older_than: timedelta) -> int:
    """Remove received events; those of the last 30 days stay, because Stripe may repeat them."""
    before = utc_now() - max(older_than, REPEATED_FOR)
    return changed_rows(session, delete(ReceivedEvent).where(ReceivedEvent.received_at < before))


def forget_emails(session: Session, address: str) -> list[str]:
    """Remove every email to, in copy to or written by `address`, sent or waiting; their ids.

    Raises `StillSending` while one is on its way, whose outcome would be lost.
    """
    rows = _rows_about(session, address)
    if any(row.state == State.SENDING for row in rows):
        raise StillSending(f"an email with {address} is being sent now; try again in a minute")
    ids = [row.id for row in rows]
    session.execute(delete(OutboxRow).where(OutboxRow.id.in_(ids)))
    return ids


def _rows_about(session: Session, address: str) -> list[OutboxRow]:
    """Those to somebody, and those that somebody wrote: contact notices carry a Reply-To."""
    mentioned = cast(OutboxRow.message, String).icontains(f'"{address}"', autoescape=True)
    found = select(OutboxRow).where(or_(OutboxRow.recipient == address, mentioned))
    locked = session.scalars(found.order_by(OutboxRow.id).with_for_update()).all()
    return [row for row in locked if row.recipient == address or address in _people(row.message)]


def _people(stored: dict[str, Any]) -> set[str]:
    fields = ("to", "cc", "bcc", "reply_to")
    return {each["email"].lower() for name in fields for each in stored.get(name, [])}


def forget_events(session: Session, address: str, email_ids: list[str]) -> int:
    """Empty the received events about `address` or those emails; how many.

    Their own ids stay, so that a redelivery has no effect.
    """
    about = or_(
        ReceivedEvent.email_id.in_(email_ids),
        ReceivedEvent.payload.icontains(f'"{address}"', autoescape=True),
        ReceivedEvent.payload.icontains(f"<{address}>", autoescape=True),
    )
    waiting = case(
        (ReceivedEvent.outcome == Outcome.WAITING, Outcome.IGNORED), else_=ReceivedEvent.outcome
    )
    values = {"payload": "", "error": None, "email_id": None, "outcome": waiting}
    return changed_rows(session, update(ReceivedEvent).where(about).values(values))
