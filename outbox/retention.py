"""What is not kept: bodies that are a key, old bodies and rows, and the emails of a person."""

from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import String, cast, delete, or_, select
from sqlalchemy.orm import Session

from database import changed_rows, utc_now
from outbox.tables import OutboxBody, OutboxEmail, OutboxRow, State

BATCH = 500
DONE = (
    State.ACCEPTED, State.SUPPRESSED, State.EXPIRED, State.CANCELLED, State.FAILED,
)  # fmt: skip
"""States in which nothing more happens to an email by itself."""


REMOVED = "This text was removed."


def redact_accepted(session: Session, email_id: str, moment: datetime) -> None:
    """Remove the body of a sensitive email that was accepted just now; in production only.

    In development the inbox page shows it, and its link is there to be clicked.
    """
    if current_app.debug:
        return
    email = session.get(OutboxEmail, email_id, populate_existing=True)
    if email and email.sensitive:
        redact(email, moment)


def redact(email: OutboxEmail, moment: datetime) -> None:
    """Remove the body and the attachments; who got what kind of email when stays."""
    email.message = without_body(email.message)
    email.redacted_at = moment


def without_body(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored message that says no more than that its body is gone."""
    return {**stored, "html": "", "text": REMOVED, "attachments": [], "metadata": {}}


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
        OutboxEmail.redacted_at.is_(None),
    )
    emails = session.scalars(
        old.order_by(OutboxEmail.id).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    for email in emails:
        redact(email, moment)
    session.flush()
    return len(emails)


def remove_rows(session: Session, *, older_than: timedelta) -> int:
    """Remove some rows that are done with; how many, 0 when none is left. In batches, as above."""
    old = (OutboxRow.state.in_(DONE), OutboxRow.created_at < utc_now() - older_than)
    some = select(OutboxRow.id).where(*old).order_by(OutboxRow.id).limit(BATCH)
    return changed_rows(session, delete(OutboxRow).where(OutboxRow.id.in_(some), *old))


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
    mentioned = cast(OutboxBody.message, String).icontains(f'"{address}"', autoescape=True)
    found = select(OutboxRow).join(OutboxRow.body)
    found = found.where(or_(OutboxRow.recipient == address, mentioned)).order_by(OutboxRow.id)
    locked = session.scalars(found.with_for_update(of=OutboxRow)).all()
    return [row for row in locked if row.recipient == address or address in _people(row.message)]


def _people(stored: dict[str, Any]) -> set[str]:
    fields = ("to", "cc", "bcc", "reply_to")
    return {each["email"].lower() for name in fields for each in stored.get(name, [])}
