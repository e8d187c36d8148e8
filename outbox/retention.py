"""What is not kept: bodies that are a key, old bodies and rows, and the emails of a person."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, String, bindparam, cast, delete, or_, select, update
from sqlalchemy.orm import Session

from database import changed_rows, in_batches, utc_now
from outbox.tables import BODIES, OUTBOX, OutboxBody, OutboxEmail, OutboxRow, State

DONE = (
    State.ACCEPTED, State.SUPPRESSED, State.EXPIRED, State.CANCELLED, State.FAILED,
)  # fmt: skip
"""States in which nothing more happens to an email by itself."""


REMOVED = "This text was removed."


def redact_sensitive(session: Session, email_id: str, moment: datetime) -> None:
    """Remove the body of a sensitive email that was accepted or suppressed just now.

    One in a batch that may have to be repeated keeps it until then.
    """
    if keeps_sensitive():
        return
    email = session.get(OutboxEmail, email_id, populate_existing=True)
    if email and email.sensitive and email.batch_id is None:
        redact(email, moment)


def keeps_sensitive() -> bool:
    """Whether bodies that are a key stay: in development, where their links are to be clicked."""
    return current_app.debug


def redact(email: OutboxEmail, moment: datetime) -> None:
    """Remove the body and the attachments; who got what kind of email when stays."""
    email.message = without_body(email.message)
    email.redacted_at = moment


def without_body(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored message that says no more than that its body is gone."""
    return {**stored, "html": "", "text": REMOVED, "attachments": [], "metadata": {}}


class StillSending(Exception):
    """Somebody cannot be forgotten in the middle of an email."""


def remove_bodies(session: Session, *, older_than: timedelta) -> Iterator[int]:
    """Remove text and attachments of emails that are done with, in batches.

    Yields how many; commit then.
    """
    old = (
        OUTBOX.c.task == "email", OUTBOX.c.state.in_(DONE), OUTBOX.c.redacted_at.is_(None),
        OUTBOX.c.created_at < utc_now() - older_than,
    )  # fmt: skip
    for ids in in_batches(session, OUTBOX.c.id, *old):
        yield _redact_all(session, _locked(session, ids, old))


def remove_rows(session: Session, *, older_than: timedelta) -> Iterator[int]:
    """Remove rows that are done with, in batches. Yields how many; commit then."""
    old = (OUTBOX.c.state.in_(DONE), OUTBOX.c.created_at < utc_now() - older_than)
    for ids in in_batches(session, OUTBOX.c.id, *old):
        locked = _locked(session, ids, old)
        yield changed_rows(session, delete(OUTBOX).where(OUTBOX.c.id.in_(locked)))


def _locked(
    session: Session, ids: Sequence[str], which: Iterable[ColumnElement[bool]]
) -> Sequence[str]:
    """Those of the rows that `which` describes, locked; others' locks are not waited for."""
    rows = select(OUTBOX.c.id).where(OUTBOX.c.id.in_(ids), *which).order_by(OUTBOX.c.id)
    return session.scalars(rows.with_for_update(skip_locked=True)).all()


def _redact_all(session: Session, ids: Sequence[str]) -> int:
    # A few bodies at a time: each may hold 40 MB of attachments.
    bodies = select(BODIES).where(BODIES.c.id.in_(ids)).execution_options(yield_per=5)
    short = [
        {"of": id_, "short": without_body(message)} for id_, message in session.execute(bodies)
    ]
    if short:
        one = update(BODIES).where(BODIES.c.id == bindparam("of"))
        session.execute(one.values(message=bindparam("short")), short)
    redacted = update(OUTBOX).where(OUTBOX.c.id.in_(ids))
    return changed_rows(session, redacted.values(redacted_at=utc_now()))


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
