"""What a person may do to an email that stands still."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import OutboxEmail, State, utc_now
from outbox.states import move


def retry(session: Session, email_id: str) -> bool:
    """Queue a failed email again, attempts at 0 and the same key; False if it is not failed."""
    return move(
        session,
        email_id,
        State.FAILED,
        State.QUEUED,
        due_at=utc_now(),
        attempts=0,
        crashes=0,
        suspect=False,
    )


def cancel(session: Session, email_id: str) -> bool:
    """Take a queued email back; False if it is not queued, or a worker was faster."""
    return move(session, email_id, State.QUEUED, State.CANCELLED, last_error="cancelled by hand")


def resolve_as_sent(session: Session, email_id: str) -> bool:
    """Somebody found out that an unknown email was accepted; False if it is not unknown."""
    return move(
        session, email_id, State.UNKNOWN, State.ACCEPTED, accepted_at=utc_now(), bound=False,
        last_error="resolved by hand: it was sent",
    )  # fmt: skip


def resolve_by_resending(session: Session, email_id: str) -> bool:
    """Send an unknown email again, at the risk of a second copy; False if it is not unknown."""
    return move(
        session, email_id, State.UNKNOWN, State.QUEUED, due_at=utc_now(), attempts=0, bound=False,
        last_error="resolved by hand: sent again",
    )  # fmt: skip


def retry_all_failed(session: Session) -> int:
    """Queue every failed email again; returns how many."""
    failed = session.scalars(select(OutboxEmail.id).where(OutboxEmail.state == State.FAILED)).all()
    return sum(retry(session, email_id) for email_id in failed)
