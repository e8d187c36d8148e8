"""What a person may do to an email that stands still."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import OutboxEmail, State, utc_now
from outbox.states import move


def retry(session: Session, email_id: str) -> bool:
    """Queue a failed email again, attempts at 0 and the same key; False if it is not failed."""
    return move(
        session, email_id, State.FAILED, State.QUEUED, due_at=utc_now(), attempts=0, crashes=0
    )


def retry_all_failed(session: Session) -> int:
    """Queue every failed email again; returns how many."""
    failed = session.scalars(select(OutboxEmail.id).where(OutboxEmail.state == State.FAILED)).all()
    return sum(retry(session, email_id) for email_id in failed)
